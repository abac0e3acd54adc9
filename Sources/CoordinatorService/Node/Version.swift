/// What this program calls itself.
public enum Version {
    /// Semantic version of the program.
    public static let text = "0.1.0"
}
