list(APPEND cluster_sources
  device/attempt.cc
  device/attempt_outcomes.cc
  device/early_maps.cc
  device/executor.cc
  device/handshake.cc
  device/joined_device.cc
  device/joined_device_events.cc
  device/liveness.cc
  device/logit_bounds.cc
  device/membership.cc
  device/plan_pool.cc
  device/requester.cc
  device/session.cc
  device/session_table.cc
  device/stall_watch.cc
  device/start_check.cc)
