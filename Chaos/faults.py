"""What a fault is, and which there are."""

ALL = {}


class Fault:
    """One kind of harm, done once: `inject`, some time, `heal`.

    Targets are chosen with the fault's own random numbers from what there is at that moment, so
    that the same seed makes the same choices as far as the system under test is in the same state.
    """

    name = None
    line = None  # one line for --list
    hold = (0.5, 2.0)  # seconds between inject and heal, drawn from the seed
    hits_leader = False  # a successor has to be elected: the time until then is measured
    # Entries of the source may vanish after they were acknowledged to the coordinator: the figures
    # are then held to a bound instead of to the unit. Never by default.
    loses_source = False
    by_default = True

    def __init__(self, stage, random, hold):
        self.stage, self.random, self.hold_seconds = stage, random, hold
        self.target = ""  # who was hit, for the report
        self.effect = None  # what shows that the harm was done; None is "no effect"
        self.cluster = stage.cluster

    def __init_subclass__(cls, **arguments):
        super().__init_subclass__(**arguments)
        if cls.name:
            ALL[cls.name] = cls

    def why_not(self):
        """A sentence when this fault cannot be done here; it is then skipped, and said so."""
        return None

    def inject(self):
        raise NotImplementedError

    def heal(self):
        """Undoes the harm and waits until the cluster is whole; the nodes are waited for later."""
        raise NotImplementedError


def load_all():
    """Every fault there is, by name, in the order of the files below."""
    import faults_masters
    import faults_network
    import faults_nodes
    import faults_servers
    del faults_masters, faults_network, faults_nodes, faults_servers
    return ALL
