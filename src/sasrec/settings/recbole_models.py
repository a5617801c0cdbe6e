"""RecBole's models that are not available here, and the closest model to use instead."""

from __future__ import annotations

NEAREST = {
    "SASRec": "CORE DIEN DIN FDSA FEARec HGN LightSANs RepeatNet S3Rec SASRecCPR SASRecF SHAN SINE",
    "GRU4Rec": "GCSAN GRU4RecCPR GRU4RecF GRU4RecKG KSR NARM NPE SRGNN STAMP",
    "FPMC": "FOSSIL HRM",
    "BPR": "ADMMSLIM AsymKNN CDAE ConvNCF DGCF DiffRec DMF EASE ENMF FISM GCMC ItemKNN LDiffRec "
    "LightGCN LINE MacridVAE MultiDAE MultiVAE NAIS NCEPLRec NCL NeuMF NGCF NNCF RaCT RecVAE SGL "
    "SimpleX SLIMElastic SpectralCF",
}
"""Our model to the models of RecBole that it can replace: they also learn from histories, or from
pairs of user and item."""
WITH_CONTENT = "FDSA S3Rec SASRecF"
"""RecBole's models that replace SASRec and also learn from the attributes of items."""
NEED_FEATURES = (
    "AFM AutoInt CFKG CKE DCN DCNV2 DeepFM DSSM EulerNet FFM FiGNN FM FNN FwFM KD_DAGFM KGAT KGCN "
    "KGIN KGNNLS KTUP LightGBM LR MCCLK MKR NFM PNN RippleNet WideDeep xDeepFM XGBoost"
)
"""RecBole's models that need features or a knowledge graph."""


def replacement_hint(name: str) -> str:
    """Return a hint on what to use instead of a RecBole model that is not available here.

    Args:
        name: Name of the model; upper and lower case are ignored.

    Returns:
        Text to append to "unknown model 'NAME'"; empty if RecBole has no such model either.
    """
    lower = name.lower()
    if lower in {"pop", "random"}:
        return "; it is not trained, and every run already reports a popularity baseline"
    for ours, theirs in NEAREST.items():
        if lower in theirs.lower().split():
            also = ", with content_columns" if lower in WITH_CONTENT.lower().split() else ""
            return f"; this model of RecBole is not available here, use {ours} instead{also}"
    if lower in NEED_FEATURES.lower().split():
        return "; it needs features of users and items, which no model here supports"
    return ""
