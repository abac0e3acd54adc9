/// What a TLS client is told: whom to trust, who it is, and which name the peer must prove.
public struct TLSOptions: Sendable, Hashable {
    /// A PEM file of the authorities to trust; nil trusts those of the system.
    public var authorityFile: String?
    /// A PEM file with the client's certificate and what leads from it to its authority; nil shows
    /// none.
    public var certificateFile: String?
    /// A PEM file with the certificate's key; nil looks into the certificate's file.
    public var keyFile: String?
    /// The name to ask for and to verify, in place of the host that is connected to.
    ///
    /// Nodes of a cluster mostly announce numbers, and their certificates mostly hold one name.
    public var serverName: String?
    /// False takes any certificate: nobody knows then who is at the other end.
    public var verifiesPeer = true

    /// The authorities of the system, no client certificate, everything verified.
    public init() {}
}

/// Options that cannot work: a sentence that names the file and the way out.
public struct TLSOptionsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// One line without secrets.
    public let description: String

    init(_ description: String) { self.description = description }
}
