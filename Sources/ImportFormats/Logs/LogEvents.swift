import CoordinatorCore
import Hashing

/// What tells one device from another in a log.
public enum LogDevice: String, CaseIterable, Sendable {
    /// Address and user agent: people behind one address are told apart.
    case addressAgent = "address-agent"
    /// The address alone.
    case address
}

/// Makes events of log lines.
struct LogEvents {
    let device: LogDevice
    /// The host of lines that name none.
    let host: [UInt8]?
    private let hasher = SHA1Hasher()

    init(device: LogDevice, host: [UInt8]?) {
        self.device = device
        self.host = host
    }

    /// The event's fields, or nil where neither the line nor the options name a host.
    func fields(of line: LogLine) -> [ImportField]? {
        guard let url = url(of: line) else { return nil }
        return [
            ImportField(ImportField.url, url),
            ImportField(ImportField.device, deviceID(of: line)),
            ImportField(ImportField.time, Array(String(line.time).utf8)),
        ]
    }

    /// An absolute target is the URL; else the host comes from the line, or from the options. A
    /// target that is neither a path nor a URL (`*`, an authority) gets a slash in front, so that
    /// it cannot run into the host's name.
    private func url(of line: LogLine) -> [UInt8]? {
        if RequestTarget.isAbsolute(line.target) { return line.target }
        guard let host = line.host ?? host else { return nil }
        let slash = line.target.first == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]
        return Array("http://".utf8) + host + slash + line.target
    }

    private func deviceID(of line: LogLine) -> [UInt8] {
        var identity = line.address
        if device == .addressAgent {
            identity.append(0x20)
            identity += line.agent
        }
        var text: [UInt8] = []
        hasher.recordID(of: identity).appendHex(to: &text)
        return text
    }
}
