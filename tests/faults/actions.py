"""What can be done to the pipeline. Each returns once its fault has happened and processing goes on."""

from __future__ import annotations

import signal
import socket
import time
import urllib.request
from collections.abc import Callable

import psutil
from sqlalchemy import text

from faults.plan import Action
from faults.recovery import Fault
from faults.scene import NAMES, RECOVERS_S, USUAL, Scene
from faults.supervisor import Incarnation
from faults.versions import newer
from faults.waiting import NotReached, wait_for
from pipeline.failpoint import PLACES

_KILLED = frozenset({-signal.SIGKILL})
_REACHED_S = 45.0
#: How often a fault is tried that depends on who comes first.
_TRIES = 5
_SHORT_STATEMENT_S = 2


def perform(scene: Scene, action: Action) -> None:
    """Do it. Raises NotReached when the fault did not happen, or processing did not go on, in time."""
    place = action.kind.removeprefix("kill_")
    if place in PLACES:
        kill_at(scene, action, place)
    else:
        ACTIONS[action.kind](scene, action)


def kill_at(scene: Scene, action: Action, place: str) -> None:
    """SIGKILL of a worker by itself at a failpoint."""
    nth = 1 if place in ("taking", "forwarding", "restating") else action.nth
    victim = scene.supervisor.restart(
        scene.pick(action.victim), may_exit=_KILLED, PIPELINE_FAILPOINT=f"{place}:{nth}:kill"
    )
    _provoke(scene, place, victim)
    wait_for(lambda: victim.exit, f"the worker comes to {place} for the {nth}. time", _REACHED_S, 0.01)
    assert victim.exit is not None
    scene.died(victim.exit, f"kill_{place}")


def _provoke(scene: Scene, place: str, worker: Incarnation) -> None:
    """Let happen what a worker comes to a place for, where it does not happen all the time."""
    if place != "restating":
        return
    wait_for(lambda: worker.exit or _has_partitions(worker), "the worker has partitions", _REACHED_S)
    scene.feed.correct_crowd()


def _has_partitions(worker: Incarnation) -> bool:
    return any(each.get("event") == "partitions taken" and each["partitions"] for each in worker.events())


def kill_random(scene: Scene, action: Action) -> None:
    """SIGKILL of a worker at a random moment."""
    time.sleep(2 * action.moment)
    scene.died(scene.supervisor.kill(scene.pick(action.victim)), "kill_random")


def kill_all(scene: Scene, action: Action) -> None:
    """SIGKILL of all workers, one right after the other."""
    time.sleep(2 * action.moment)
    exits = [scene.supervisor.kill(name) for name in scene.supervisor.names]
    for exit_ in exits[:-1]:
        scene.injected["kill_all"] += 1
        scene.faults.append(Fault(cause="kill_all", at=exit_.at, killed=frozenset({exit_.worker})))
    scene.died(exits[-1], "kill_all")
    scene.goes_on(exits[0].at, frozenset(exit_.worker for exit_ in exits))


def zombie(scene: Scene, action: Action) -> None:
    """A worker that stands still before a commit until its session is over and others have taken its partitions."""
    _zombie(scene, action, "before_commit", "fenced off")


def zombie_publishing(scene: Scene, action: Action) -> None:
    """The same with a Kafka transaction that is full and not yet committed."""
    _zombie(scene, action, "while_publishing", "fenced off", "publishing was interrupted")


def zombie_exchanging(scene: Scene, action: Action) -> None:
    """The same with a Kafka transaction that holds records for other partitions."""
    _zombie(scene, action, "exchanging", "fenced off", "publishing was interrupted")


def zombie_receiving(scene: Scene, action: Action) -> None:
    """The same before a commit of what other partitions have told."""
    _zombie(scene, action, "receiving", "fenced off")


def zombie_delivering(scene: Scene, action: Action) -> None:
    """The same when what partitions tell others of the worker directly is committed, and not yet delivered."""
    _zombie(scene, action, "delivering", "fenced off", "publishing was interrupted")


def zombie_restating(scene: Scene, action: Action) -> None:
    """The same when a part of what is to be restated is committed, and the rest of it is to come."""
    _zombie(scene, action, "restating", "fenced off", "publishing was interrupted")


def _zombie(scene: Scene, action: Action, place: str, *refusal: str) -> None:
    name = scene.pick(action.victim)
    nth = 1 if place == "restating" else action.nth
    frozen = scene.supervisor.restart(name, PIPELINE_FAILPOINT=f"{place}:{nth}:stop")
    process = psutil.Process(frozen.process.pid)
    try:
        _provoke(scene, place, frozen)
        wait_for(lambda: process.status() == psutil.STATUS_STOPPED, f"the worker stops at {place}", _REACHED_S)
        lost = {number: epoch for number, (owner, epoch) in scene.owners().items() if owner == name}

        def taken_over() -> bool:
            now = scene.owners()
            return all(now[number][0] != name and now[number][1] > epoch for number, epoch in lost.items())

        wait_for(taken_over, "others have taken the partitions of the worker that stands still", RECOVERS_S)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    wait_for(lambda: any(said in frozen.said() for said in refusal), "who stood still is refused", RECOVERS_S)
    if "fenced off" in frozen.said():
        wait_for(lambda: _metric(frozen, "pipeline_fenced_total") >= 1, "its metrics say that it was refused")
    scene.injected[action.kind] += 1
    scene.refused_zombies += 1
    scene.owned_by(*scene.supervisor.names)
    scene.goes_on(time.time())


def scale(scene: Scene, action: Action) -> None:
    """Workers from 1 to 3 to 1, and back to what is usual."""
    for name in NAMES[1:USUAL]:
        scene.supervisor.stop(name)
    scene.owned_by(NAMES[0])
    for name in NAMES[1:]:
        scene.supervisor.start(name)
    scene.owned_by(*NAMES)
    scene.goes_on(time.time())
    for name in NAMES[1:]:
        scene.supervisor.stop(name)
    scene.owned_by(NAMES[0])
    scene.goes_on(time.time())
    scene.injected["scale"] += 1
    for name in NAMES[1:USUAL]:
        scene.supervisor.start(name)
    scene.owned_by(*NAMES[:USUAL])


def rebalance_while_taking(scene: Scene, action: Action) -> None:
    """The group rebalances again while a worker loads what it needs of the partitions that it has just got."""
    for name in NAMES[1:USUAL]:
        scene.supervisor.stop(name)
    scene.owned_by(NAMES[0])
    with scene.database.session() as session:
        session.execute(text("LOCK TABLE identity_correction IN ACCESS EXCLUSIVE MODE"))
        for count, name in enumerate(NAMES[1:], 2):
            scene.supervisor.start(name)
            scene.owned_by(*NAMES[:count])
        session.rollback()
    scene.injected["rebalance_while_taking"] += 1
    scene.goes_on(time.time())
    for name in NAMES[USUAL:]:
        scene.supervisor.stop(name)
    scene.owned_by(*NAMES[:USUAL])
    scene.goes_on(time.time())


def rolling_restart(scene: Scene, action: Action) -> None:
    """Each worker is stopped and started, one after the other."""
    for name in scene.supervisor.names:
        scene.supervisor.restart(name)
        scene.owned_by(*scene.supervisor.names)
    scene.injected["rolling_restart"] += 1
    scene.goes_on(time.time())


def broker_crash(scene: Scene, action: Action) -> None:
    """The broker is killed and started."""
    _server(scene, "kafka", hard=True)
    scene.returned("broker_crash", time.time())


def database_restart(scene: Scene, action: Action) -> None:
    """Postgres shuts down and starts."""
    _server(scene, "postgres", hard=False)
    scene.returned("database_restart", time.time())


def database_crash(scene: Scene, action: Action) -> None:
    """Postgres is killed and started."""
    _server(scene, "postgres", hard=True)
    scene.returned("database_crash", time.time())


def cut_before_commit(scene: Scene, action: Action) -> None:
    """A worker's connection breaks right before the database gets a commit."""
    _cut(scene, action, "before")


def cut_after_commit(scene: Scene, action: Action) -> None:
    """A worker's connection breaks after a commit, before the worker hears of it."""
    _cut(scene, action, "after")


def cut_anywhere(scene: Scene, action: Action) -> None:
    """All connections of the workers break at a random moment."""
    time.sleep(action.moment)
    since = time.time()
    for name in scene.supervisor.names:
        scene.proxies[name].cut_all()
    scene.injected["cut_anywhere"] += 1
    scene.goes_on(since)


def registry_away(scene: Scene, action: Action) -> None:
    """The registry is away while a worker starts, and while records of a version come that nobody has seen."""
    field = f"field_{scene.injected['registry_away']}"
    unseen = scene.versions.register(newer(field))
    registry = scene.stack.server("registry")
    registry.stop(hard=True)
    try:
        scene.feed.send_unseen_version(unseen, field)
        started = scene.supervisor.restart(scene.pick(action.victim))
        wait_for(lambda: _retried(started, "registry"), "the worker that starts waits for the registry", _REACHED_S)
    finally:
        registry.start()
        registry.wait_ready()
    scene.returned("registry_away", time.time())


def disk_full(scene: Scene, action: Action) -> None:
    """The database says that its disk is full (simulated: a trigger raises that error)."""
    scene.database.run(
        "CREATE SEQUENCE disk_full_hits",
        """
        CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM nextval('disk_full_hits');
            RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
        END $$
        """,
        "CREATE TRIGGER disk_is_full BEFORE INSERT OR UPDATE ON journey EXECUTE FUNCTION disk_is_full()",
    )
    try:
        wait_for(
            lambda: scene.database.rows("SELECT last_value AS n FROM disk_full_hits")[0].n >= 8,
            "commits fail for want of room",
            _REACHED_S,
        )
    finally:
        scene.database.run("DROP FUNCTION disk_is_full() CASCADE", "DROP SEQUENCE disk_full_hits")
    scene.returned("disk_full", time.time())


def statement_timeout(scene: Scene, action: Action) -> None:
    """A lock is held for longer than a worker's statements may take."""
    name = scene.pick(action.victim)
    hasty = scene.supervisor.restart(name, "--statement-timeout", str(_SHORT_STATEMENT_S))
    scene.owned_by(*scene.supervisor.names)
    with scene.database.session() as session:
        session.execute(text("LOCK TABLE journey IN EXCLUSIVE MODE"))
        wait_for(lambda: "QueryCanceled" in hasty.said(), "a statement takes too long", _REACHED_S)
        session.rollback()
    scene.returned("statement_timeout", time.time())
    scene.supervisor.restart(name)
    scene.goes_on(time.time())


def deadlock(scene: Scene, action: Action) -> None:
    """A real one: another transaction has a partition's counts and wants its position, a commit the other way round."""
    for attempt in range(_TRIES):
        number = (action.victim + attempt) % scene.partitions
        before = _deadlocks(scene)
        with scene.database.session() as session:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar()
            session.execute(text("SELECT 1 FROM touchpoint_count WHERE partition = :p FOR UPDATE"), {"p": number})
            wait_for(lambda pid=pid: scene.database.blocked_by(pid), "a commit waits for the counts", _REACHED_S, 0.01)
            session.execute(text("SELECT 1 FROM position WHERE partition = :p FOR UPDATE"), {"p": number})
            session.rollback()
        since = time.time()
        if _deadlocks(scene) > before:
            scene.returned("deadlock", since)
            return
    raise NotReached(f"{_TRIES} tries for a deadlock met none")


def serialization_failure(scene: Scene, action: Action) -> None:
    """A real one: under repeatable read, another transaction changes the position that a commit waits for."""
    name = scene.database.engine.url.database
    before = {worker: len(scene.supervisor.running(worker).said()) for worker in scene.supervisor.names}
    scene.database.run(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'repeatable read'")
    try:
        _reconnect(scene)
        for attempt in range(_TRIES):
            number = (action.victim + attempt) % scene.partitions
            with scene.database.session() as session:
                pid = session.execute(text("SELECT pg_backend_pid()")).scalar()
                session.execute(text("UPDATE position SET updated_at = now() WHERE partition = :p"), {"p": number})
                wait_for(lambda pid=pid: scene.database.blocked_by(pid), "a commit waits", _REACHED_S, 0.01)
                session.commit()
            if _seen(scene, "SerializationFailure", before):
                break
        else:
            raise NotReached(f"{_TRIES} tries for a serialization failure met none")
    finally:
        scene.database.run(f'ALTER DATABASE "{name}" RESET default_transaction_isolation')
        _reconnect(scene)
    scene.returned("serialization_failure", time.time())


def metrics_port_taken(scene: Scene, action: Action) -> None:
    """The port that a worker is told to serve its metrics on is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = scene.supervisor.restart(scene.pick(action.victim), PIPELINE_METRICS_ADDRESS=f"127.0.0.1:{port}")
        address = wait_for(lambda: started.metrics_address, "the worker says where its metrics are", _REACHED_S)
        if address == f"127.0.0.1:{port}":
            raise NotReached("the worker serves its metrics on a port that is taken")
        wait_for(lambda: _metric(started, "pipeline_ready") >= 1, "it is ready on another port", _REACHED_S)
    scene.injected["metrics_port_taken"] += 1
    scene.goes_on(time.time())


ACTIONS: dict[str, Callable[[Scene, Action], None]] = {
    action.__name__: action
    for action in (
        kill_random, kill_all, zombie, zombie_publishing, zombie_exchanging, zombie_receiving, zombie_delivering,
        zombie_restating, scale, rebalance_while_taking, rolling_restart, broker_crash, database_restart,
        database_crash, cut_before_commit, cut_after_commit, cut_anywhere, registry_away, disk_full,
        statement_timeout, deadlock,
        serialization_failure, metrics_port_taken,
    )
}  # fmt: skip


def _server(scene: Scene, name: str, *, hard: bool) -> None:
    server = scene.stack.server(name)
    server.stop(hard=hard)
    server.start()
    server.wait_ready()
    scene.database.engine.dispose()


def _cut(scene: Scene, action: Action, when: str) -> None:
    proxy = scene.proxies[scene.pick(action.victim)]
    cuts = proxy.cuts[when]
    since = time.time()
    proxy.cut_a_commit(when)
    try:
        wait_for(lambda: proxy.cuts[when] > cuts, f"a connection is cut {when} a commit", _REACHED_S, 0.01)
    finally:
        proxy.disarm()
    scene.injected[f"cut_{when}_commit"] += 1
    scene.goes_on(max(since, time.time()))


def _reconnect(scene: Scene) -> None:
    """New connections take a database's new defaults."""
    for name in scene.supervisor.names:
        scene.proxies[name].cut_all()
    scene.goes_on(time.time())


def _deadlocks(scene: Scene) -> int:
    """How many transactions the database has ended because of a deadlock; told by the log, since statistics lag."""
    return scene.stack.server("postgres").log.read_text(errors="replace").count("deadlock detected")


def _seen(scene: Scene, error: str, before: dict[str, int]) -> bool:
    try:
        return bool(
            wait_for(lambda: any(error in scene.supervisor.running(w).said(n) for w, n in before.items()), error, 2)
        )
    except NotReached:
        return False


def _retried(worker: Incarnation, server: str) -> bool:
    return any(
        each.get("event") == "server away, trying again" and each["server"] == server for each in worker.events()
    )


def _metric(worker: Incarnation, name: str) -> float:
    """A metric of a worker; 0 if it does not say."""
    try:
        with urllib.request.urlopen(f"http://{worker.metrics_address}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.partition("{")[0].split(" ")[0] == name)
