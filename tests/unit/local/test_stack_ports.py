from pipeline.local import ports


def test_kept_ports_stay_while_they_are_free() -> None:
    kept = {"kafka": 20_001, "registry": 20_002}
    assert ports.choose(["kafka", "registry"], kept, is_free=lambda _: True) == kept


def test_a_taken_port_is_replaced_by_one_that_no_other_server_keeps() -> None:
    kept = {"kafka": 20_001, "registry": 20_002}
    chosen = ports.choose(["kafka"], kept, is_free=lambda port: port != 20_001)
    assert chosen["kafka"] not in kept.values()
    assert chosen["kafka"] in ports.RANGE


def test_new_ports_differ() -> None:
    names = [f"server-{number}" for number in range(50)]
    assert len(set(ports.choose(names, {}, is_free=lambda _: True).values())) == 50


def test_a_port_that_is_kept_twice_is_given_once() -> None:
    chosen = ports.choose(["a", "b"], {"a": 20_001, "b": 20_001}, is_free=lambda _: True)
    assert chosen["a"] == 20_001 != chosen["b"]
