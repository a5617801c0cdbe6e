"""Why a model recommends what it does."""
