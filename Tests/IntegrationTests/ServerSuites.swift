import Testing

/// Everything that is tried against real servers, one test after the other: a deployment is a whole
/// cluster, because its control keys are fixed, and the machine is busy enough with one.
@Suite("Against real servers", .serialized, .enabled(if: Package.hasServer, "run Deploy/install"))
struct ServerSuites {}
