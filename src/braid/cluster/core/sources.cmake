list(APPEND cluster_sources)
