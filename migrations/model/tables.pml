/* Made from hand-over/states.ts and hand-over/resolve.ts by `npm run docs`; a test fails when it is stale. */

mtype = { s_sending, s_paused, s_handed_over, s_done, s_kept, t_waiting, t_greeted, t_receiving, t_interrupted, t_ready, t_in_doubt, t_running, t_ended, se_pause, se_cancel, se_resume, se_commit, se_running, se_gave_up, te_hello, te_link_lost, te_give_up, te_describe, te_inquire, te_cancel, te_pages, te_barrier, te_rest, te_seal, te_proved, te_commit, te_run, d_migrating, d_handed_over, d_done, d_kept, d_unknown, d_receiving, d_ready, d_started, d_gave_up, alive, ended, maybe_alive, is_source, is_target, is_undecided, nothing }

inline next_source(state, event, next) {
  if
  :: (state) == s_sending && (event) == se_pause -> next = s_paused
  :: (state) == s_sending && (event) == se_cancel -> next = s_kept
  :: (state) == s_paused && (event) == se_resume -> next = s_sending
  :: (state) == s_paused && (event) == se_commit -> next = s_handed_over
  :: (state) == s_paused && (event) == se_cancel -> next = s_kept
  :: (state) == s_handed_over && (event) == se_running -> next = s_done
  :: (state) == s_handed_over && (event) == se_gave_up -> next = s_kept
  :: else -> next = nothing
  fi
}

inline next_target(state, event, next) {
  if
  :: (state) == t_waiting && (event) == te_hello -> next = t_greeted
  :: (state) == t_waiting && (event) == te_link_lost -> next = t_waiting
  :: (state) == t_waiting && (event) == te_give_up -> next = t_ended
  :: (state) == t_greeted && (event) == te_describe -> next = t_receiving
  :: (state) == t_greeted && (event) == te_inquire -> next = t_greeted
  :: (state) == t_greeted && (event) == te_link_lost -> next = t_waiting
  :: (state) == t_greeted && (event) == te_cancel -> next = t_waiting
  :: (state) == t_greeted && (event) == te_give_up -> next = t_ended
  :: (state) == t_receiving && (event) == te_pages -> next = t_receiving
  :: (state) == t_receiving && (event) == te_barrier -> next = t_receiving
  :: (state) == t_receiving && (event) == te_rest -> next = t_receiving
  :: (state) == t_receiving && (event) == te_seal -> next = t_receiving
  :: (state) == t_receiving && (event) == te_proved -> next = t_ready
  :: (state) == t_receiving && (event) == te_cancel -> next = t_ended
  :: (state) == t_receiving && (event) == te_link_lost -> next = t_interrupted
  :: (state) == t_receiving && (event) == te_give_up -> next = t_ended
  :: (state) == t_interrupted && (event) == te_hello -> next = t_interrupted
  :: (state) == t_interrupted && (event) == te_describe -> next = t_receiving
  :: (state) == t_interrupted && (event) == te_link_lost -> next = t_interrupted
  :: (state) == t_interrupted && (event) == te_cancel -> next = t_ended
  :: (state) == t_interrupted && (event) == te_give_up -> next = t_ended
  :: (state) == t_ready && (event) == te_commit -> next = t_running
  :: (state) == t_ready && (event) == te_cancel -> next = t_ended
  :: (state) == t_ready && (event) == te_link_lost -> next = t_in_doubt
  :: (state) == t_in_doubt && (event) == te_hello -> next = t_in_doubt
  :: (state) == t_in_doubt && (event) == te_describe -> next = t_receiving
  :: (state) == t_in_doubt && (event) == te_inquire -> next = t_in_doubt
  :: (state) == t_in_doubt && (event) == te_commit -> next = t_running
  :: (state) == t_in_doubt && (event) == te_cancel -> next = t_ended
  :: (state) == t_in_doubt && (event) == te_link_lost -> next = t_in_doubt
  :: (state) == t_in_doubt && (event) == te_run -> next = t_running
  :: (state) == t_in_doubt && (event) == te_give_up -> next = t_ended
  :: (state) == t_running && (event) == te_hello -> next = t_running
  :: (state) == t_running && (event) == te_inquire -> next = t_running
  :: (state) == t_running && (event) == te_link_lost -> next = t_running
  :: (state) == t_running && (event) == te_commit -> next = t_running
  :: (state) == t_ended && (event) == te_hello -> next = t_ended
  :: (state) == t_ended && (event) == te_inquire -> next = t_ended
  :: (state) == t_ended && (event) == te_link_lost -> next = t_ended
  :: else -> next = nothing
  fi
}

inline resolve_records(source, sourceIs, target, targetIs, survivor, toSource, toTarget, sourceFirst) {
  if
  :: (source) == d_migrating && (target) == d_receiving && (sourceIs) == alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_migrating && (target) == d_receiving && (sourceIs) == ended -> survivor = is_source; toSource = d_kept; toTarget = d_gave_up; sourceFirst = false
  :: (source) == d_migrating && (target) == d_receiving && (sourceIs) == maybe_alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_migrating && (target) == d_ready && (sourceIs) == alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_migrating && (target) == d_ready && (sourceIs) == ended -> survivor = is_source; toSource = d_kept; toTarget = d_gave_up; sourceFirst = false
  :: (source) == d_migrating && (target) == d_ready && (sourceIs) == maybe_alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_migrating && (target) == d_started -> survivor = is_target; toSource = d_done; toTarget = nothing; sourceFirst = true
  :: (source) == d_migrating && (target) == d_gave_up && (sourceIs) == alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_migrating && (target) == d_gave_up && (sourceIs) == ended -> survivor = is_source; toSource = d_kept; toTarget = nothing; sourceFirst = true
  :: (source) == d_migrating && (target) == d_gave_up && (sourceIs) == maybe_alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_migrating && (target) == d_unknown && (sourceIs) == alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_migrating && (target) == d_unknown && (sourceIs) == ended -> survivor = is_source; toSource = d_kept; toTarget = nothing; sourceFirst = true
  :: (source) == d_migrating && (target) == d_unknown && (sourceIs) == maybe_alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_handed_over && (target) == d_receiving && (targetIs) == alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_handed_over && (target) == d_receiving && (targetIs) == ended -> survivor = is_source; toSource = d_kept; toTarget = d_gave_up; sourceFirst = false
  :: (source) == d_handed_over && (target) == d_receiving && (targetIs) == maybe_alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_handed_over && (target) == d_ready && (targetIs) == alive -> survivor = is_target; toSource = d_done; toTarget = d_started; sourceFirst = false
  :: (source) == d_handed_over && (target) == d_ready && (targetIs) == ended -> survivor = is_source; toSource = d_kept; toTarget = d_gave_up; sourceFirst = false
  :: (source) == d_handed_over && (target) == d_ready && (targetIs) == maybe_alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_handed_over && (target) == d_started -> survivor = is_target; toSource = d_done; toTarget = nothing; sourceFirst = true
  :: (source) == d_handed_over && (target) == d_gave_up -> survivor = is_source; toSource = d_kept; toTarget = nothing; sourceFirst = true
  :: (source) == d_handed_over && (target) == d_unknown -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_done && (target) == d_receiving -> survivor = is_target; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_done && (target) == d_ready -> survivor = is_target; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_done && (target) == d_started -> survivor = is_target; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_done && (target) == d_gave_up -> survivor = is_target; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_done && (target) == d_unknown -> survivor = is_target; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_kept && (target) == d_receiving -> survivor = is_source; toSource = nothing; toTarget = d_gave_up; sourceFirst = false
  :: (source) == d_kept && (target) == d_ready -> survivor = is_source; toSource = nothing; toTarget = d_gave_up; sourceFirst = false
  :: (source) == d_kept && (target) == d_started -> survivor = is_target; toSource = d_done; toTarget = nothing; sourceFirst = true
  :: (source) == d_kept && (target) == d_gave_up -> survivor = is_source; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_kept && (target) == d_unknown -> survivor = is_source; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_unknown && (target) == d_receiving && (targetIs) == alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_unknown && (target) == d_receiving && (targetIs) == ended -> survivor = is_source; toSource = nothing; toTarget = d_gave_up; sourceFirst = false
  :: (source) == d_unknown && (target) == d_receiving && (targetIs) == maybe_alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_unknown && (target) == d_ready && (targetIs) == alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_unknown && (target) == d_ready && (targetIs) == ended -> survivor = is_source; toSource = nothing; toTarget = d_gave_up; sourceFirst = false
  :: (source) == d_unknown && (target) == d_ready && (targetIs) == maybe_alive -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_unknown && (target) == d_started -> survivor = is_target; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_unknown && (target) == d_gave_up -> survivor = is_source; toSource = nothing; toTarget = nothing; sourceFirst = false
  :: (source) == d_unknown && (target) == d_unknown -> survivor = is_undecided; toSource = nothing; toTarget = nothing; sourceFirst = false
  fi
}

