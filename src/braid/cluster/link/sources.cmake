list(APPEND cluster_sources
  link/crc32c.cc
  link/frame.cc
  link/payload.cc)
