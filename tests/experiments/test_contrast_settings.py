import pytest

from uae_tf.experiments.contrast import ContrastSettings
from uae_tf.experiments.contrast.settings import ARMS, RECIPES


def test_recipes_fill_what_is_not_said():
    quick = ContrastSettings()
    assert quick.arms == RECIPES["quick"].arms
    assert ContrastSettings(recipe_name="paper").arms == ARMS
    assert (quick.width, quick.samples) == (16, RECIPES["quick"].samples)
    paper = ContrastSettings(recipe_name="paper", batch_size=256)
    assert paper.recipe.optimizer == "lars"
    assert (paper.width, paper.batch_size, paper.side) == (64, 256, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe_name": "slow"}, "`recipe_name` must be one of: quick, paper.*slow"),
        ({"precision": "float16"}, "`precision` must be one of: float32, bfloat16"),
        ({"batch_size": 1}, "`batch_size` must be a whole number, at least 2.*1"),
        ({"num_views": 1}, "`num_views` must be a whole number, at least 2"),
        ({"arms": ("l2_uae",)}, "`arms` must be one of: untrained, original.*l2_uae"),
        ({"target": "clean"}, "`target` must be self"),
    ],
)
def test_wrong_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        ContrastSettings(**changes)
