"""The app's dialer port on the simulated network, in virtual time: the simulator's faults become the app's errors."""

from shared.domain.errors import DialError
from shared.domain.probes import ProbeWord
from simulator.dialing.virtual_dialer import VirtualDialer


def virtual_dialer(network, vantage):
    """A `ports.Dialer` that connects from a vantage. `network`: a `ProbedNetwork`."""
    return VirtualDialer(network, vantage, lambda fault: DialError(ProbeWord[fault.name]))
