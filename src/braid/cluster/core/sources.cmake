list(APPEND cluster_sources core/coordinator.cc)
