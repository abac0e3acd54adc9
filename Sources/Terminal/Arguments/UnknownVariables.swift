/// Variables of the environment that have the program's prefix and are none of its settings.
///
/// One that is nearly a setting is a slip, and whoever made it believes that it holds. Others may
/// be anybody's: Kubernetes gives every pod a dozen of them for a service of the program's name.
public struct UnknownVariables: Sendable, Equatable {
    /// A name, and the setting that was meant.
    public struct Slip: Sendable, Equatable {
        /// As it is in the environment.
        public let name: String
        /// The nearest variable that there is.
        public let meant: String
    }

    /// The first slip by name, if any.
    public private(set) var slip: Slip?
    /// Names that are like no setting.
    public private(set) var others: [String] = []

    /// - Parameter ignored: beginnings of names, behind the prefix, that are other tools'.
    public init(
        _ environment: [String: String], of program: Program, prefix: String, ignored: [String]
    ) {
        let known = Set(program.allOptions.flatMap(\.environment))
        let names = known.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        for name in environment.keys.sorted() where name.hasPrefix(prefix) && !known.contains(name)
        {
            let own = String(name.dropFirst(prefix.count))
            if Self.isService(own) || ignored.contains(where: { own.hasPrefix($0) }) { continue }
            guard let meant = Suggestion.nearest(to: own, among: names.sorted()) else {
                others.append(name)
                continue
            }
            if slip == nil { slip = Slip(name: name, meant: prefix + meant) }
        }
    }

    /// `…SERVICE_HOST`, `…SERVICE_PORT…`, `PORT`, `…PORT_8080_TCP…`: links to services.
    ///
    /// - Source: Kubernetes, "Service", "Environment variables".
    private static func isService(_ name: String) -> Bool {
        if name == "PORT" || name.hasSuffix("SERVICE_HOST") || name.contains("SERVICE_PORT") {
            return true
        }
        guard let port = name.firstRange(of: "PORT_") else { return false }
        return name[port.upperBound...].first?.isNumber ?? false
    }
}
