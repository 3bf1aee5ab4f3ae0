def containment(backends):
    return []
