def derive_all():
    return []
