list(APPEND cluster_sources core/coordinator.cc core/invariants.cc)
