import gc
import threading

from contracts.deals import pausing


def test_the_collector_goes_on_when_the_last_check_is_done() -> None:
    inside, leave = threading.Event(), threading.Event()

    def check() -> None:
        with pausing.collection():
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=check)
    other.start()
    assert inside.wait(10)
    with pausing.collection():
        assert not gc.isenabled()
    assert not gc.isenabled()  # the other check still runs
    leave.set()
    other.join()
    assert gc.isenabled()


def test_a_check_that_fails_leaves_the_collector_on_and_one_that_was_off_stays_off() -> None:
    try:
        with pausing.collection():
            raise ValueError
    except ValueError:
        assert gc.isenabled()
    gc.disable()
    try:
        with pausing.collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
