"""Export: a trained model as one folder that other programs can serve without this package."""
