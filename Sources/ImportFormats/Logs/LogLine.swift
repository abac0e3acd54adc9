/// One line of a web server's access log, as far as events need it. Escapes are undone.
public struct LogLine: Equatable, Sendable {
    /// The virtual host with its port, where the format has it.
    public var host: [UInt8]?
    /// The client's address or name.
    public var address: [UInt8]
    /// Milliseconds since 1970, UTC.
    public var time: Int64
    /// `GET` and its like, as sent.
    public var method: [UInt8]
    /// The request target as the client sent it.
    public var target: [UInt8]
    /// The three digits of the answer.
    public var status: Int
    /// The user agent; `-` where the line has none, as servers write it.
    public var agent: [UInt8]
    /// Whether the line has the combined format's last two fields.
    public var hasAgent: Bool
}
