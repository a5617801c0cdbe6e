"""RecBole's models that are not here, and the one of ours that does the same job."""

from __future__ import annotations

NEAREST = {
    "SASRec": "CORE DIEN DIN FDSA FEARec HGN LightSANs RepeatNet S3Rec SASRecCPR SASRecF SHAN SINE",
    "GRU4Rec": "GCSAN GRU4RecCPR GRU4RecF GRU4RecKG KSR NARM NPE SRGNN STAMP",
    "FPMC": "FOSSIL HRM",
    "BPR": "ADMMSLIM AsymKNN CDAE ConvNCF DGCF DiffRec DMF EASE ENMF FISM GCMC ItemKNN LDiffRec "
    "LightGCN LINE MacridVAE MultiDAE MultiVAE NAIS NCEPLRec NCL NeuMF NGCF NNCF RaCT RecVAE SGL "
    "SimpleX SLIMElastic SpectralCF",
}
"""Our model to those of RecBole's that also take histories, or pairs of user and item."""
OF_FEATURES = (
    "AFM AutoInt CFKG CKE DCN DCNV2 DeepFM DSSM EulerNet FFM FiGNN FM FNN FwFM KD_DAGFM KGAT KGCN "
    "KGIN KGNNLS KTUP LightGBM LR MCCLK MKR NFM PNN RippleNet WideDeep xDeepFM XGBoost"
)
"""Those that need features or a knowledge graph."""


def instead_of(name: str) -> str:
    """Return what to take instead of a model of RecBole's that is not here.

    Args:
        name: As written; upper and lower case do not matter.

    Returns:
        Words to put behind "unknown model 'NAME'"; empty if RecBole has no such model either.
    """
    asked = name.lower()
    if asked in {"pop", "random"}:
        return "; it learns nothing, and popularity is measured in every run"
    for ours, theirs in NEAREST.items():
        if asked in theirs.lower().split():
            return f"; of RecBole's models this one is not here, and {ours} does the same job"
    if asked in OF_FEATURES.lower().split():
        return "; it needs features of users and items, which no model here takes"
    return ""
