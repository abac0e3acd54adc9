/// What is counted: the sixth segment of a key.
///
/// - Source: semantics.md §1.
public enum Metric: String, CaseIterable, Sendable {
    /// Page views: exact, they add up.
    case pageviews = "PG"
    /// Devices, as the convention has them; not used here.
    case devices = "D"
    /// Unique devices: estimates, they merge and never add up.
    case uniqueDevices = "UD"
}
