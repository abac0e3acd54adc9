import CoordinatorCore
import Hashing
import Testing

@testable import CoordinatorService

/// Device ids under a key; the expected texts are those of Python's `hmac` and `hashlib`.
@Suite("Device keys")
struct DeviceKeyTests {
    private static let secret = Array("0123456789abcdef".utf8)

    private static func hashed(_ hasher: DeviceHasher, _ id: [UInt8]) -> String {
        var text: [UInt8] = []
        id.withUnsafeBytes { hasher.append($0, to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    @Test("a device is stored as the first half of its HMAC-SHA-256, however many were before")
    func truth() throws {
        let hasher = DeviceHasher(try DeviceKey(secret: Self.secret))
        for _ in 0..<3 {
            for (id, expected) in [
                ("d1", "ed6415df88609ecfc3bab8dae85a1ad5"),
                ("é device", "9cab19ae299a931f918aae3f233e4da8"),
                (String(repeating: "x", count: 3_000), "dab3dde13e2831c9cb2412eb0f74dd53"),
            ] {
                #expect(Self.hashed(hasher, Array(id.utf8)) == expected)
            }
        }
        let long = DeviceHasher(try DeviceKey(secret: Array(0..<200)))
        #expect(Self.hashed(long, Array("d1".utf8)) == "18d807af644243ac0ccc56319c81ab1c")
    }

    @Test("a key has a name that tells it apart, and line ends are no part of it")
    func names() throws {
        let key = try DeviceKey(secret: Self.secret)
        #expect(key.name == "f349ab53552201c4")
        #expect(try DeviceKey(secret: Self.secret + [13, 10, 10]).name == key.name)
        #expect(try DeviceKey(secret: Self.secret + [0x20]).name != key.name)
        for count in [0, 1, 15] {
            #expect(throws: DeviceKeyError.length(count)) {
                try DeviceKey(secret: Array(Self.secret.prefix(count)) + [10])
            }
        }
        #expect(throws: DeviceKeyError.length(5_000)) {
            try DeviceKey(secret: [UInt8](repeating: 1, count: 5_000))
        }
        let sentence = "\(DeviceKeyError.length(3))"
        #expect(sentence.contains("not 3") && sentence.contains("openssl rand"))
    }

    @Test("what is kept of an id counts or is refused as the id would be, and tells nothing of it")
    func kept() throws {
        let hasher = DeviceHasher(try DeviceKey(secret: Self.secret))
        func stored(_ id: [UInt8]) -> [UInt8] { id.withUnsafeBytes { hasher.stored($0) } }
        #expect(stored([]).isEmpty)
        #expect(stored(Array("null".utf8)) == Array("null".utf8))
        #expect(stored(Array("d1".utf8)) == Array("ed6415df88609ecfc3bab8dae85a1ad5".utf8))
        func refusal(_ bytes: [UInt8]) -> RefusalReason? {
            bytes.withUnsafeBytes { bytes in
                do throws(RefusalError) {
                    try EventRules.checkField(bytes)
                    return nil
                } catch {
                    return error.reason
                }
            }
        }
        let secretive = Array("somebody".utf8)
        let long = stored(secretive + [UInt8](repeating: 0x41, count: 2_048))
        #expect(refusal(long) == .size && long.count == EventRules.maximumFieldBytes + 1)
        let broken = stored(secretive + [0xFF])
        #expect(refusal(broken) == .encoding)
        for text in [long, broken] {
            #expect(!String(decoding: text, as: UTF8.self).contains("somebody"))
        }
    }

    @Test("settings with a key have a digest of their own, and those without keep theirs")
    func digest() throws {
        let plain = DeploymentSettings()
        var keyed = plain
        keyed.deviceKey = try DeviceKey(secret: Self.secret).name
        #expect(try keyed.validated() == keyed)
        #expect(keyed.digest(by: SHA1Hasher()) != plain.digest(by: SHA1Hasher()))
        #expect(!plain.canonicalText.contains("device"))
        let difference = try #require(plain.differences(from: keyed).first)
        #expect(
            difference.contains("device-key is none here")
                && difference.contains("f349ab53552201c4"))
        keyed.deviceKey = "no\tname"
        #expect(throws: SettingsError.deviceKeyName) { try keyed.validated() }
    }
}
