"""Package metadata and extras; the tools' settings live in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

# tensorflow-serving-api comes in step with TensorFlow: pip finds the two that fit.
SERVING = ["grpcio>=1.60", "tensorflow-serving-api>=2.18"]
TEST = [
    "pytest>=8",
    "hypothesis>=6",
    "pytest-timeout>=2.3",
    # Two processes: the suite takes two thirds of the time on two cores.
    "pytest-xdist>=3.6",
    # What scikit-learn people pass around; its own checks look at data frames too.
    "pandas>=2.2",
    # Keras's own TensorBoard callback, which ours must get on with, needs it.
    "tensorboard>=2.18",
    # Contrastive learning must train where there is no TensorFlow.
    "jax>=0.4.35",
    # Reads the notebooks' two forms, which a test holds together.
    "jupytext>=1.16",
    *SERVING,
]
# A kernel to run them in, and what executes (scripts/run_notebooks.py) and tests them.
NOTEBOOKS = [
    "ipykernel>=6.29",
    "nbmake>=1.5.5",
    "jupytext>=1.16",
    "pandas>=2.2",
    *SERVING,
]

setup(
    name="uae-tf",
    version="0.1.0",
    description="Unsupervised adversarial examples for Keras: attack, augment, verify.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    packages=find_packages(include=["uae_tf", "uae_tf.*"]),
    package_data={"uae_tf": ["py.typed", "**/*.html", "**/*.toml"]},
    install_requires=[
        "tensorflow>=2.18",
        "keras>=3.8",
        "tensorflow-datasets>=4.9.7",
        # tensorflow-datasets needs it to prepare data but does not declare it.
        "importlib_resources>=6",
        "numpy>=1.26",
        "ml_dtypes>=0.4",
        "scikit-learn>=1.6",
        "threadpoolctl>=3",
        "typer>=0.15",
        "rich>=13",
        "tqdm>=4.66",
        "filelock>=3.16",
        "matplotlib>=3.9",
        "pillow>=10",
        "jinja2>=3.1",
    ],
    extras_require={
        "test": TEST,
        "serving": SERVING,
        "distributed": ["ray>=2.40"],
        "notebooks": NOTEBOOKS,
        "dev": [
            *TEST,
            "ruff>=0.9",
            "import-linter>=2.1",
            "pyright>=1.1",
            "pytest-cov>=6",
        ],
        # Ruff formats the signatures of the reference.
        "docs": ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.27", "ruff>=0.9"],
        "benchmarks": [
            "adversarial-robustness-toolbox>=1.18",
            "foolbox>=3.3",
            "psutil>=6",
        ],
    },
    entry_points={"console_scripts": ["uae-tf = uae_tf.cli:main"]},
)
