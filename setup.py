"""Package metadata. What each dependency is for is told in docs/dependencies.md."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = next(
    line.split('"')[1]
    for line in (ROOT / "pyskl" / "__init__.py").read_text(encoding="utf-8").splitlines()
    if line.startswith("__version__")
)

EXPORT = ["onnx>=1.17", "onnxruntime>=1.20", "onnxscript>=0.5", "safetensors>=0.4"]

setup(
    name="pyskl",
    version=VERSION,
    description="A config-driven training toolbox for skeleton-based action recognition",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    packages=find_packages(include=["pyskl", "pyskl.*"]),
    package_data={
        "pyskl": ["py.typed"],
        "pyskl.datasets": ["*.txt"],
        "pyskl.published": ["*.csv"],
        "pyskl.recordings.ntu": ["*.txt"],
        "pyskl.drawing": ["*.css", "*.js"],
        "pyskl.reports.page": ["*.css", "*.js"],
        "pyskl.drawing.skeleton": ["*.css", "*.js"],
    },
    python_requires=">=3.10,<3.14",
    install_requires=[
        "torch>=2.4",
        "mmengine>=0.10.5,<0.11",
        "numpy>=1.26,<3",
        "scipy>=1.11",
        "tqdm>=4.60",
        "pyyaml>=6",
        "pydantic>=2.7,<3",
        "filelock>=3.12",
        "opencv-python>=4.8",
        "pillow>=10.1",
        "matplotlib>=3.8",
    ],
    extras_require={
        "tensorboard": ["tensorboard>=2.15"],
        "wandb": ["wandb>=0.20"],
        "mlflow": ["mlflow>=3"],
        "mocap": ["c3d>=0.6"],
        "export": EXPORT,
        "video": ["rtmlib>=0.0.16", "onnxruntime>=1.20"],
        # The linters are pinned: another version formats the same code otherwise.
        "dev": [
            *EXPORT,
            "c3d>=0.6",
            "hypothesis>=6.100",
            "import-linter==2.17",
            "mypy==2.4.1",
            "playwright>=1.40",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff==0.17.6",
            "tensorboard>=2.15",
            "types-PyYAML",
            "types-tqdm",
        ],
    },
)
