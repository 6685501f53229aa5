/*
 * The hand-over of a machine, for Spin: README.md beside this file says how it is run, within which bounds, and with which result.
 *
 * One process takes every step of the world, in any order: steps of the source, of the target, of the link, of disks and hosts that fail, of two
 * operators, one on either host. Each step is atomic; whatever may be interrupted is more than one. Tables come from the code (tables.pml).
 * Left out: pages and rounds (between accept and seal), and everything that is decided before a connection is trusted.
 */
#include "tables.pml"

mtype:frame = { describe, seal, commit, cancel, inquire, accepted, ready, running, refused, says_started, says_gave_up, says_ready, says_other }

#ifndef LINKS
#define LINKS 3      /* connections before calm */
#endif
#ifndef FAULTS
#define FAULTS 2     /* processes killed and hosts crashed, on both sides together */
#endif
#ifndef DISK_FAULTS
#define DISK_FAULTS 1 /* writes of a record that fail */
#endif
#ifndef COPIES
#define COPIES 1     /* records copied to the other host before calm, each way */
#endif
#ifndef ASKS
#define ASKS 1       /* runs of resolve on each host before calm */
#endif
#define CALM_ASKS 4   /* once all is calm and waits, on either host in turns */
#define CALM_LINKS 2
#define ALL_LINKS (LINKS + CALM_LINKS + 1)

/* -- the world -- */

chan toTarget[ALL_LINKS] = [2] of { mtype:frame };
chan toSource[ALL_LINKS] = [2] of { mtype:frame };
byte links;            /* connections that were opened so far */
byte faults, diskFaults, copiesOfTarget, copiesOfSource;
bool calm;             /* from here on nothing fails any more */
byte calmAsks;
bool asksNext;         /* the operator at the source */

/* A record: as readers see it, and as it stands after a crash of the host. A process has written half of a new one while `…Writes` is set. */
bool sourceUp = true;
mtype source = s_sending;
mtype sourceSeen = d_migrating, sourceSafe = d_migrating, sourceWrites = nothing;
bool sourceRenamed;    /* the new record has its name, but the folder is not on disk */
byte sourceLink;       /* 0: none */
bool sourceAccepted;

bool targetUp = true, targetRestarted;
mtype target = t_waiting;
mtype targetSeen = d_unknown, targetSafe = d_unknown, targetWrites = nothing;
mtype targetDecided = d_unknown; /* by this process */
bool targetRenamed;
byte decidedAt;        /* connection over which the source handed over */
byte targetSeenAt, targetSafeAt; /* connection over which the target's record was decided */
bool recalls;          /* a new process writes down what the one before has ended with */
bool recordIsOlder;    /* the target's record was written by a process that has ended */
byte targetLink, targetLast;
byte deadLinks;        /* links up to here have ended with a process of the target */
mtype:frame targetAnswers; /* sent when the record is written */

/* -- what is to be checked -- */

bool stale;            /* the source has run since the target took its memory */
bool targetHasRun, sourceReborn;
bool toldSource, toldTarget;

#define SOURCE_RUNS ((sourceUp && (source == s_sending || source == s_kept)) || sourceReborn)
#define TARGET_RUNS (targetUp && target == t_running)

inline check() {
  assert(!(SOURCE_RUNS && TARGET_RUNS));
  /* Nor one after the other: what has happened there would be lost. */
  assert(!(SOURCE_RUNS && targetHasRun));
  assert(!(toldSource && toldTarget));
  assert(!(toldSource && targetHasRun));
  assert(!(toldTarget && SOURCE_RUNS));
}

inline source_enter(event) {
  next_source(source, event, source);
  assert(source != nothing);
  if
  :: (event) == se_resume -> stale = true
  :: else
  fi
}

/* -- source -- */

inline source_drops_link() {
  sourceLink = 0;
  sourceAccepted = false
}

/* What a lost link does: the machine that stood for a hand-over goes on. */
inline source_loses_link() {
  source_drops_link();
  if
  :: source == s_paused && sourceWrites == nothing -> source_enter(se_resume)
  :: else
  fi
}

inline source_keeps(event) {
  source_enter(event);
  sourceWrites = d_kept
}

inline send_to_target(what) {
  if
  :: sourceLink != 0 && nfull(toTarget[sourceLink]) -> toTarget[sourceLink] ! what
  :: sourceLink == 0 || full(toTarget[sourceLink]) -> skip /* the link is gone, which the source has yet to see */
  fi
}

inline source_takes(what) {
  if
  :: what == accepted -> sourceAccepted = true
  :: what == ready ->
    if
    :: source == s_paused && sourceWrites == nothing -> sourceWrites = d_handed_over; decidedAt = sourceLink
    :: else
    fi
  :: (what == running || what == says_started) && source == s_handed_over && sourceWrites == nothing ->
    source_enter(se_running);
    sourceWrites = d_done;
    source_drops_link()
  :: what == says_gave_up && source == s_handed_over && sourceWrites == nothing -> source_keeps(se_gave_up); source_drops_link()
  :: what == says_ready && source == s_handed_over && sourceWrites == nothing -> send_to_target(commit)
  :: what == refused || what == says_other ->
    if
    :: (source == s_sending || source == s_paused) && sourceWrites == nothing -> source_keeps(se_cancel)
    :: else
    fi;
    source_drops_link()
  :: else
  fi
}

/* Once a record is written: what was waiting for it. */
inline source_has_written() {
  if
  :: sourceWrites == d_handed_over ->
    source_enter(se_commit);
    send_to_target(commit)
  :: else
  fi;
  sourceWrites = nothing;
  sourceRenamed = false
}

/* Before it has a new name the old record stands. */
inline source_could_not_write() {
  if
  :: sourceWrites == d_handed_over -> sourceWrites = nothing; send_to_target(cancel); source_drops_link(); source_keeps(se_cancel)
  :: else -> sourceWrites = nothing
  fi
}

inline source_dies() {
  sourceUp = false;
  sourceWrites = nothing;
  sourceRenamed = false;
  source_drops_link()
}

/* -- target -- */

inline target_writes(decision, answer) {
  targetWrites = decision;
  targetAnswers = answer
}

inline send_to_source(what) {
  if
  :: targetLink != 0 && nfull(toSource[targetLink]) -> toSource[targetLink] ! what
  :: targetLink == 0 || full(toSource[targetLink]) -> skip
  fi
}

inline target_gives_up() {
  if
  :: target != t_ended -> next_target(target, te_give_up, target); assert(target != nothing)
  :: else
  fi;
  if
  :: targetDecided != d_unknown -> target_writes(d_gave_up, refused)
  :: else
  fi
}

inline target_loses_link() {
  targetLink = 0;
  if
  :: target == t_ended -> target_gives_up()
  :: else -> next_target(target, te_link_lost, target); assert(target != nothing)
  fi
}

inline target_refuses() {
  send_to_source(refused);
  targetLink = 0;
  if
  :: target == t_receiving -> target_gives_up()
  :: target == t_ended || target == nothing
  :: else -> next_target(target, te_link_lost, target)
  fi
}

/* A hello ends the older link first: what follows from that is done before the new one is served. */
inline target_greets(link) {
  if
  :: targetLink != 0 -> target_loses_link()
  :: else
  fi;
  if
  :: targetWrites == nothing ->
    next_target(target, te_hello, next);
    targetLast = link;
    targetLink = link;
    if
    :: next == nothing -> send_to_source(refused); targetLink = 0
    :: else -> target = next
    fi
  :: else
  fi;
  next = nothing
}

#define IS_ABANDONED (recordIsOlder && (targetSeen == d_ready || targetSeen == d_receiving))

inline target_takes(what) {
  if
  :: what == describe ->
    next_target(target, te_describe, next);
    if
    :: next == nothing -> target_refuses()
    /* What an earlier process has written down stands; of what it had not ended that is written down now. */
    :: next != nothing && targetDecided == d_unknown && targetSeen != d_unknown ->
      if
      :: IS_ABANDONED -> recalls = true; target_writes(d_gave_up, refused)
      :: else -> target_refuses()
      fi
    :: else -> target_writes(d_receiving, accepted)
    fi
  :: what == seal ->
    next_target(target, te_seal, next);
    if
    :: next == nothing -> target_refuses()
    :: else -> target_writes(d_ready, ready)
    fi
  :: what == commit ->
    next_target(target, te_commit, next);
    if
    :: next == nothing -> target_refuses()
    :: target == t_running -> send_to_source(running)
    :: else -> target_writes(d_started, running)
    fi
  :: what == cancel ->
    next_target(target, te_cancel, next);
    if
    :: next == nothing -> target_refuses()
    :: next == t_ended -> target = next; target_gives_up(); targetLink = 0
    :: else -> target = next; targetLink = 0
    fi
  :: what == inquire ->
    next_target(target, te_inquire, next);
    if
    :: next == nothing -> target_refuses()
    :: targetDecided == d_unknown && IS_ABANDONED -> recalls = true; target_writes(d_gave_up, says_gave_up)
    :: else ->
      if
      :: targetDecided == d_started || (targetDecided == d_unknown && targetSeen == d_started) -> send_to_source(says_started)
      :: targetDecided == d_gave_up || (targetDecided == d_unknown && targetSeen == d_gave_up) -> send_to_source(says_gave_up)
      :: targetDecided == d_ready -> send_to_source(says_ready)
      :: else -> send_to_source(says_other); targetLink = 0
      fi
    fi
  fi;
  next = nothing
}

inline target_runs() {
  assert(!stale);
  targetHasRun = true
}

inline target_has_written() {
  if
  :: recalls -> skip /* the record stays that of the process before */
  :: else -> targetDecided = targetWrites
  fi;
  if
  :: targetWrites == d_receiving -> next_target(target, te_describe, target); assert(target != nothing)
  :: targetWrites == d_ready -> next_target(target, te_proved, target); assert(target != nothing); stale = false
  :: targetWrites == d_started -> next_target(target, te_commit, target); assert(target != nothing); target_runs()
  :: else
  fi;
  send_to_source(targetAnswers);
  if
  :: targetAnswers == refused ->
    targetLink = 0;
    if
    :: target != t_ended -> next_target(target, te_link_lost, target); assert(target != nothing)
    :: else
    fi
  :: else
  fi;
  targetWrites = nothing;
  targetRenamed = false;
  recalls = false
}

inline target_could_not_write() {
  recalls = false;
  if
  :: targetWrites == d_gave_up -> targetWrites = nothing; targetLink = 0
  :: else -> targetWrites = nothing; target_refuses()
  fi
}

inline target_dies() {
  recalls = false;
  targetUp = false;
  targetWrites = nothing;
  targetRenamed = false;
  recordIsOlder = true;
  targetLink = 0;
  deadLinks = links
}

/* -- operators: each runs resolve on its own host, with its own record and a copy of the other one -- */

mtype copyOfTarget = d_unknown, copyOfSource = d_unknown;
byte copyOfTargetAt, copyOfSourceAt;
bool copyOfTargetEnded, copyOfSourceEnded;   /* its process had ended when the copy was made, and the operator says so */

/* A record is made durable before it is copied or believed. */
inline copy_target() {
  targetSafe = targetSeen; targetSafeAt = targetSeenAt;
  copyOfTarget = targetSeen; copyOfTargetAt = targetSeenAt;
  copyOfTargetEnded = (!targetUp || recordIsOlder)
}

inline copy_source() {
  sourceSafe = sourceSeen;
  copyOfSource = sourceSeen; copyOfSourceAt = decidedAt;
  copyOfSourceEnded = !sourceUp
}

/* An operator in the midst of it: what was read, and what is to be written. */
mtype readAtSource = nothing, answerAtSource, writeAtSource;
mtype readAtTarget = nothing, answerAtTarget, writeAtTarget;
bool wasAliveAtSource, wasAliveAtTarget;
#define SOURCE_IS_AS_READ (readAtSource == sourceSeen && wasAliveAtSource == sourceUp)
#define TARGET_IS_AS_READ (readAtTarget == targetSeen && wasAliveAtTarget == (targetUp && !recordIsOlder))
byte asksAtSource, asksAtTarget; /* before all is calm */

/* As isOlder() in resolve.ts: of a target that was ready over an earlier connection nothing is known. */
inline known_of_target(decision, at, ofSource, decided) {
  if
  :: ofSource == d_handed_over && decision != d_started && at < decided -> known = d_unknown
  :: else -> known = decision
  fi
}

inline life_of(isAlive, into) {
  if
  :: isAlive -> into = alive
  :: else -> into = ended
  fi
}

inline operator_at_source_reads() {
  sourceSafe = sourceSeen;
  life_of(sourceUp, life);
  otherLife = maybe_alive;
  if
#ifdef PLACELESS
  :: copyOfTarget != d_unknown -> otherLife = ended
#else
  :: copyOfTargetEnded -> otherLife = ended
#endif
  :: else
  fi;
  known_of_target(copyOfTarget, copyOfTargetAt, sourceSeen, decidedAt);
  resolve_records(sourceSeen, life, known, otherLife, answerAtSource, writeAtSource, other, first);
  readAtSource = sourceSeen; wasAliveAtSource = sourceUp;
  other = nothing; first = false; life = nothing; otherLife = nothing; known = nothing
}

inline operator_at_target_reads() {
  targetSafe = targetSeen; targetSafeAt = targetSeenAt;
  life_of(targetUp && !recordIsOlder, life);
  otherLife = maybe_alive;
  if
#ifdef PLACELESS
  :: copyOfSource != d_unknown -> otherLife = ended
#else
  :: copyOfSourceEnded -> otherLife = ended
#endif
  :: else
  fi;
  known_of_target(targetSeen, targetSeenAt, copyOfSource, copyOfSourceAt);
  resolve_records(copyOfSource, otherLife, known, life, answerAtTarget, other, writeAtTarget, first);
  readAtTarget = targetSeen; wasAliveAtTarget = (targetUp && !recordIsOlder);
  other = nothing; first = false; life = nothing; otherLife = nothing; known = nothing
}

inline tell(answer) {
  if
  :: answer == is_source -> toldSource = true
  :: answer == is_target -> toldTarget = true
  :: else
  fi
}

/* Between reading and writing a process may write, or end: then the operator's run begins anew. */
inline operator_at_source_writes() {
  if
  :: writeAtSource == nothing -> tell(answerAtSource)
  :: writeAtSource != nothing && SOURCE_IS_AS_READ -> sourceSeen = writeAtSource; sourceSafe = writeAtSource; tell(answerAtSource)
  :: !calm && writeAtSource != nothing && !SOURCE_IS_AS_READ -> asksAtSource--
  :: calm && writeAtSource != nothing && !SOURCE_IS_AS_READ -> skip
  fi;
  readAtSource = nothing; answerAtSource = nothing; writeAtSource = nothing; wasAliveAtSource = false
}

inline operator_at_target_writes() {
  if
  :: writeAtTarget == nothing -> tell(answerAtTarget)
  :: writeAtTarget != nothing && TARGET_IS_AS_READ -> targetSeen = writeAtTarget; targetSafe = writeAtTarget; tell(answerAtTarget)
  :: !calm && writeAtTarget != nothing && !TARGET_IS_AS_READ -> asksAtTarget--
  :: calm && writeAtTarget != nothing && !TARGET_IS_AS_READ -> skip
  fi;
  readAtTarget = nothing; answerAtTarget = nothing; writeAtTarget = nothing; wasAliveAtTarget = false
}

/* Nothing can happen any more: one machine runs, or may be started, and both records say so. */
inline settled() {
  assert(calm);
  life_of(sourceUp, life);
  life_of(targetUp && !recordIsOlder, otherLife);
  known_of_target(targetSeen, targetSeenAt, sourceSeen, decidedAt);
  resolve_records(sourceSeen, life, known, otherLife, verdict, other, other, first);
  if
  /* It lives, has decided to keep the machine, and could not write that down: `migrating` names it as well. */
  :: verdict == is_undecided -> assert(sourceUp && source == s_kept && sourceSeen == d_migrating && !targetHasRun)
  :: verdict == is_source -> assert(!targetHasRun && (!sourceUp || source == s_kept || source == s_sending) && !(targetUp && (target == t_ready || target == t_in_doubt)))
  :: verdict == is_target -> assert(targetSeen == d_started && (!sourceUp || source == s_done) && (!targetUp || recordIsOlder || target == t_running))
  fi
}

/* A new process and an operator judge the record of the old one under a lock. */
#define RECALL_IS_ASKED (targetDecided == d_unknown && IS_ABANDONED)

active proctype world() {
  mtype next = nothing, life = nothing, otherLife = nothing, other = nothing, verdict = nothing, known = nothing;
  bool first;
  mtype:frame what;
  byte link;

  do
  /* Source. */
  :: atomic { sourceUp && source == s_sending && sourceLink == 0 && sourceWrites == nothing && targetUp && links < LINKS + (calm -> CALM_LINKS : 0) ->
       links++; sourceLink = links; toTarget[links] ! describe }
  :: atomic { sourceUp && source == s_handed_over && sourceLink == 0 && sourceWrites == nothing && targetUp && links < LINKS + (calm -> CALM_LINKS : 0) ->
       links++; sourceLink = links; toTarget[links] ! inquire }
  :: atomic { sourceUp && source == s_sending && sourceAccepted && sourceWrites == nothing -> source_enter(se_pause); send_to_target(seal); check() }
  :: atomic { sourceUp && sourceLink != 0 && nempty(toSource[sourceLink]) && sourceWrites == nothing ->
       toSource[sourceLink] ? what; source_takes(what); what = 0; check() }
  :: atomic { sourceUp && (source == s_sending || source == s_paused) && sourceWrites == nothing ->
       send_to_target(cancel); source_drops_link(); source_keeps(se_cancel); check() }
  :: atomic { sourceUp && sourceLink != 0 && !calm && sourceWrites != d_handed_over -> source_loses_link(); check() }
  :: atomic { sourceUp && sourceWrites != nothing && !sourceRenamed -> sourceSeen = sourceWrites; sourceRenamed = true }
  :: atomic { sourceUp && sourceRenamed -> sourceSafe = sourceSeen; source_has_written(); check() }
  :: atomic { sourceUp && sourceWrites != nothing && !sourceRenamed && diskFaults < DISK_FAULTS && !calm -> diskFaults++; source_could_not_write(); check() }
  /* It reads in its record what an operator has found. */
  :: atomic { sourceUp && source == s_handed_over && sourceWrites == nothing && sourceSeen == d_done -> source_enter(se_running); source_drops_link() }
  :: atomic { sourceUp && source == s_handed_over && sourceWrites == nothing && sourceSeen == d_kept -> source_enter(se_gave_up); source_drops_link(); check() }

  /* Target. */
  :: atomic { targetUp && targetWrites == nothing && links > targetLast && links > deadLinks && nempty(toTarget[links]) -> target_greets(links); check() }
  :: atomic { targetUp && targetWrites == nothing && targetLink != 0 && nempty(toTarget[targetLink]) && !(RECALL_IS_ASKED && readAtTarget != nothing) -> toTarget[targetLink] ? what; target_takes(what); what = 0; check() }
  :: atomic { targetUp && targetWrites == nothing && targetLink != 0 && (!calm || sourceLink != targetLink) && empty(toTarget[targetLink]) -> target_loses_link(); check() }
  :: atomic { targetUp && targetWrites == nothing && targetLink != 0 && !calm -> target_loses_link(); check() }
  :: atomic { targetUp && targetWrites == nothing && (target == t_interrupted || (target == t_receiving && !calm)) -> target_gives_up(); check() }
  :: atomic { targetUp && targetWrites != nothing && !targetRenamed -> targetSeen = targetWrites; targetRenamed = true;
       if
       :: recalls -> skip
       :: else -> targetSeenAt = targetLast; recordIsOlder = false
       fi }
  :: atomic { targetUp && targetRenamed -> targetSafe = targetSeen; targetSafeAt = targetSeenAt; target_has_written(); check() }
  :: atomic { targetUp && targetWrites != nothing && !targetRenamed && diskFaults < DISK_FAULTS && !calm -> diskFaults++; target_could_not_write(); check() }
  :: atomic { targetUp && targetWrites == nothing && target == t_in_doubt && targetSeen == d_started ->
       next_target(target, te_run, target); targetDecided = d_started; target_runs(); check() }
  :: atomic { targetUp && targetWrites == nothing && target == t_in_doubt && targetSeen == d_gave_up -> target_gives_up(); check() }

  /* Faults: a process is killed; a host crashes, and what was not on disk is not there. */
  :: atomic { !calm && faults < FAULTS && sourceUp -> faults++; source_dies() }
  :: atomic { !calm && faults < FAULTS -> faults++; source_dies(); sourceSeen = sourceSafe }
  :: atomic { !calm && faults < FAULTS && targetUp -> faults++; target_dies() }
  :: atomic { !calm && faults < FAULTS -> faults++; target_dies(); targetSeen = targetSafe; targetSeenAt = targetSafeAt }
  /* The user starts the target again, with the same folder of records. */
  :: atomic { !targetUp && !targetRestarted -> targetRestarted = true; targetUp = true; target = t_waiting; targetDecided = d_unknown; targetLast = 0 }
  :: atomic { !calm -> calm = true; if :: asksNext = true :: asksNext = false fi }

  /* Operators: a record is copied at any time, and used later. */
  :: atomic { !calm && copiesOfTarget < COPIES -> copiesOfTarget++; copy_target() }
  :: atomic { !calm && copiesOfSource < COPIES -> copiesOfSource++; copy_source() }
  :: atomic { !calm && readAtSource == nothing && asksAtSource < ASKS -> asksAtSource++; operator_at_source_reads() }
  :: atomic { readAtSource != nothing -> operator_at_source_writes(); check() }
  :: atomic { !calm && readAtTarget == nothing && !recalls && asksAtTarget < ASKS -> asksAtTarget++; operator_at_target_reads() }
  :: atomic { readAtTarget != nothing -> operator_at_target_writes(); check() }
  /* Who is told so starts a machine whose process is gone. */
  :: atomic { toldSource && !sourceUp && !sourceReborn -> sourceReborn = true; check() }

  /* All is calm, and waits: they ask with what stands there now. */
  :: atomic { timeout && calm && calmAsks < CALM_ASKS && asksNext -> calmAsks++; asksNext = false; copy_target(); operator_at_source_reads() }
  :: atomic { timeout && calm && calmAsks < CALM_ASKS && !asksNext -> calmAsks++; asksNext = true; copy_source(); operator_at_target_reads() }
  :: timeout && calmAsks == CALM_ASKS -> settled(); break
  od
}
