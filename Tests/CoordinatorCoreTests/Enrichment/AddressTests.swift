import CoordinatorCore
import Testing

/// Which addresses may be dialled: by their numbers, in whatever form they come.
@Suite("Addresses")
struct AddressTests {
    private static func bytes(_ text: String) -> [UInt8] {
        if !text.contains(":") { return text.split(separator: ".").map { UInt8($0) ?? 0 } }
        var text = text
        // The last four bytes may be written as IPv4.
        if let dot = text.split(separator: ":").last, dot.contains(".") {
            let four = dot.split(separator: ".").map { UInt16($0) ?? 0 }
            let words = [four[0] << 8 | four[1], four[2] << 8 | four[3]]
            text =
                text.dropLast(dot.count)
                + words.map { String($0, radix: 16) }.joined(separator: ":")
        }
        let halves = text.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
        let groups = halves.map { $0.split(separator: ":").map { UInt16($0, radix: 16) ?? 0 } }
        let missing = 8 - groups.reduce(0) { $0 + $1.count }
        let zeros = [UInt16](repeating: 0, count: max(0, missing))
        let all = groups.count == 2 ? groups[0] + zeros + groups[1] : groups[0]
        return all.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    }

    @Test(
        "an address is what its number says",
        arguments: [
            ("8.8.8.8", AddressKind.public), ("9.255.255.255", .public), ("11.0.0.0", .public),
            ("126.255.255.255", .public), ("128.0.0.0", .public), ("172.15.255.255", .public),
            ("172.32.0.0", .public), ("192.167.255.255", .public), ("192.169.0.0", .public),
            ("100.63.255.255", .public), ("100.128.0.0", .public), ("169.253.255.255", .public),
            ("223.255.255.255", .public), ("127.0.0.1", .loopback), ("127.255.255.255", .loopback),
            ("10.0.0.0", .private), ("10.255.255.255", .private), ("172.16.0.0", .private),
            ("172.31.255.255", .private), ("192.168.0.1", .private), ("100.64.0.0", .private),
            ("100.127.255.255", .private), ("169.254.0.0", .linkLocal),
            ("169.254.169.254", .linkLocal), ("224.0.0.1", .multicast),
            ("239.255.255.255", .multicast), ("0.0.0.0", .reserved), ("0.1.2.3", .reserved),
            ("192.0.0.1", .reserved), ("192.0.2.1", .reserved), ("192.88.99.1", .reserved),
            ("198.18.0.1", .reserved), ("198.19.255.255", .reserved), ("198.20.0.0", .public),
            ("198.51.100.1", .reserved), ("203.0.113.1", .reserved), ("240.0.0.0", .reserved),
            ("255.255.255.255", .reserved),
        ])
    func ipv4(text: String, kind: AddressKind) {
        #expect(AddressKind(of: Self.bytes(text)) == kind, "\(text)")
    }

    @Test(
        "an IPv6 address is judged by where it leads",
        arguments: [
            ("2a00:1450:4001:81b::200e", AddressKind.public), ("2606:4700::1111", .public),
            ("3ffe::1", .public), ("::1", .loopback), ("::", .reserved), ("::2", .reserved),
            ("::ffff:8.8.8.8", .public), ("::ffff:127.0.0.1", .loopback),
            ("::ffff:10.1.2.3", .private), ("::ffff:169.254.169.254", .linkLocal),
            ("::127.0.0.1", .reserved), ("64:ff9b::8.8.8.8", .public),
            ("64:ff9b::127.0.0.1", .loopback), ("64:ff9b::192.168.1.1", .private),
            ("64:ff9b:1::1", .private), ("fc00::1", .private), ("fdff::1", .private),
            ("fe80::1", .linkLocal), ("febf::1", .linkLocal), ("fec0::1", .private),
            ("ff02::1", .multicast), ("2001:db8::1", .reserved), ("2001::1", .reserved),
            ("2001:1ff::1", .reserved), ("2001:200::1", .public), ("2002:0a00:1::", .private),
            ("2002:808:808::", .reserved), ("3fff:fff::1", .reserved), ("100::1", .reserved),
            ("5f00::1", .reserved), ("4000::1", .reserved),
        ])
    func ipv6(text: String, kind: AddressKind) {
        #expect(AddressKind(of: Self.bytes(text)) == kind, "\(text)")
    }

    @Test("private addresses are allowed when that is said; others but public ones never are")
    func rules() {
        let open = AddressRules(allowsPrivate: true)
        let strict = AddressRules(allowsPrivate: false)
        for (text, isOpen, isStrict) in [
            ("8.8.8.8", true, true), ("127.0.0.1", true, false), ("::1", true, false),
            ("10.0.0.1", true, false), ("100.64.0.1", true, false), ("fd00::1", true, false),
            ("169.254.169.254", false, false), ("fe80::1", false, false),
            ("224.0.0.1", false, false), ("0.0.0.0", false, false),
            ("255.255.255.255", false, false),
        ] {
            #expect(open.allows(Self.bytes(text)) == isOpen, "\(text)")
            #expect(strict.allows(Self.bytes(text)) == isStrict, "\(text)")
        }
        for count in [0, 3, 5, 15, 17] {
            #expect(!open.allows([UInt8](repeating: 8, count: count)))
        }
    }

    @Test("messages name an address as people write it")
    func text() {
        #expect(AddressText.text([127, 0, 0, 1]) == "127.0.0.1")
        #expect(AddressText.text(Self.bytes("fe80::1")) == "fe80:0:0:0:0:0:0:1")
        #expect(AddressText.text([1]).isEmpty)
    }
}
