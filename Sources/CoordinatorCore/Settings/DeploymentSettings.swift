/// What all nodes of a deployment must agree on.
public struct DeploymentSettings: Equatable, Sendable, Codable {
    /// The schema that this program writes and reads.
    public static let currentSchema = 1
}
