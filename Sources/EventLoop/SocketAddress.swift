import CLibuv
import Glibc

/// One address of a TCP peer, IPv4 or IPv6, with its port.
public struct SocketAddress: Sendable, CustomStringConvertible {
    /// The C value, large enough for every family.
    var storage: sockaddr_storage

    /// Copies what a resolver found; nil for another family than IPv4 and IPv6.
    init?(_ address: UnsafePointer<sockaddr>, length: Int) {
        let family = Int32(address.pointee.sa_family)
        guard family == AF_INET || family == AF_INET6 else { return nil }
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { target in
            let source = UnsafeRawBufferPointer(start: address, count: min(length, target.count))
            target.copyMemory(from: source)
        }
        self.storage = storage
    }

    /// The host's address: four bytes of IPv4 or sixteen of IPv6, the highest first.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: storage) { storage in
            if Int32(self.storage.ss_family) == AF_INET {
                let address = storage.loadUnaligned(as: sockaddr_in.self).sin_addr
                return withUnsafeBytes(of: address) { Array($0) }
            }
            let address = storage.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            return withUnsafeBytes(of: address) { Array($0) }
        }
    }

    /// The numeric host, without the port.
    public var description: String {
        withAddress { address in
            // INET6_ADDRSTRLEN is 46, its closing zero included.
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 46) { text in
                let isShort = Int32(address.pointee.sa_family) == AF_INET
                let status = UnsafeRawPointer(address).withMemoryRebound(
                    to: sockaddr_in.self, capacity: 1
                ) { short in
                    UnsafeRawPointer(address).withMemoryRebound(to: sockaddr_in6.self, capacity: 1)
                    { long in
                        isShort
                            ? uv_ip4_name(short, text.baseAddress, text.count)
                            : uv_ip6_name(long, text.baseAddress, text.count)
                    }
                }
                guard status == 0, let base = text.baseAddress else { return "?" }
                return String(cString: base)
            }
        }
    }

    /// Lends the C address.
    func withAddress<Result>(_ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }
}

/// Looks up the addresses of a host without blocking the loop, and calls back on it.
///
/// - Shape: all addresses the system's resolver knows, in its order; at most ``maximumAddresses``.
/// - Errors: what `getaddrinfo` says, as ``LoopError``.
/// - Not guaranteed: an end in time; the resolver may take tens of seconds. The caller keeps the
///   deadline.
/// - Thread: loop only.
@LoopActor
public func resolveAddresses(
    host: String, port: UInt16,
    _ handler: @escaping @LoopActor (Result<[SocketAddress], LoopError>) -> Void
) {
    let lookup = Lookup(handler)
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
    request.pointee.data = Unmanaged.passRetained(lookup).toOpaque()
    let status = uv_getaddrinfo(
        LoopCore.shared.loop, request,
        { request, status, found in
            guard let request, let data = request.pointee.data else { return }
            let lookup = Unmanaged<Lookup>.fromOpaque(data).takeRetainedValue()
            request.deallocate()
            let addresses = status == 0 ? collect(found) : []
            if let found { uv_freeaddrinfo(found) }
            LoopActor.assume { lookup.finish(status, addresses) }
        }, host, String(port), &hints)
    guard status != 0 else { return }
    Unmanaged<Lookup>.passUnretained(lookup).release()
    request.deallocate()
    // In the next step, like every other answer: a handler that runs before the call returns
    // surprises.
    LoopDoor.post { lookup.finish(status, []) }
}

/// A name with more addresses than this is a mistake or an attack; the first ones are tried.
private let maximumAddresses = 16

private func collect(_ first: UnsafeMutablePointer<addrinfo>?) -> [SocketAddress] {
    var addresses: [SocketAddress] = []
    var next = first
    while let entry = next, addresses.count < maximumAddresses {
        if let raw = entry.pointee.ai_addr,
            let address = SocketAddress(raw, length: Int(entry.pointee.ai_addrlen))
        {
            addresses.append(address)
        }
        next = entry.pointee.ai_next
    }
    return addresses
}

@LoopActor
private final class Lookup {
    private let handler: @LoopActor (Result<[SocketAddress], LoopError>) -> Void

    init(_ handler: @escaping @LoopActor (Result<[SocketAddress], LoopError>) -> Void) {
        self.handler = handler
    }

    func finish(_ status: Int32, _ addresses: [SocketAddress]) {
        if status == 0, !addresses.isEmpty {
            handler(.success(addresses))
        } else {
            let code = status == 0 ? UV_EAI_NODATA.rawValue : status
            handler(.failure(LoopError(function: "getaddrinfo", code: code)))
        }
    }
}
