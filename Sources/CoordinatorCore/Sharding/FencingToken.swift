/// A term as it travels with a write and is compared in the place written.
///
/// - Shape: cluster epoch, server time in microseconds, the holder's nonce, compared in that order.
/// - Why three: a counter in Redis hands the same number out twice when a failover loses the last
///   increment; neither epoch nor time alone rises in every fault (design.md §6).
/// - Source: facts.md §3, point 3.
public struct FencingToken: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The length of a nonce, in hex digits.
    public static let nonceLength = 16
    /// The width of a number in the text: that of the greatest `UInt64`.
    static let numberWidth = 20
    /// The length of the text, in bytes.
    static let textLength = 2 * (numberWidth + 1) + nonceLength

    /// Smaller than every token that was ever handed out: what a shard holds before its first
    /// claim.
    public static let zero = FencingToken(
        epoch: 0, microseconds: 0, checkedNonce: String(repeating: "0", count: nonceLength))

    /// The cluster's current epoch when the term was granted.
    public let epoch: UInt64
    /// The server's time when the term was granted, in microseconds since 1970.
    public let microseconds: UInt64
    /// What tells two holders of the same moment apart: 16 lower-case hex digits.
    public let nonce: String

    /// A token of its parts; nil unless `nonce` is 16 lower-case hex digits.
    public init?(epoch: UInt64, microseconds: UInt64, nonce: String) {
        guard nonce.utf8.count == Self.nonceLength, nonce.utf8.allSatisfy(Self.isHex) else {
            return nil
        }
        self.init(epoch: epoch, microseconds: microseconds, checkedNonce: nonce)
    }

    /// Reads `text` as written by the property of that name; anything else is nil.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.textLength else { return nil }
        let (width, dash) = (Self.numberWidth, UInt8(ascii: "-"))
        guard bytes[width] == dash, bytes[2 * width + 1] == dash,
            let epoch = Decimal.unsigned(bytes[..<width]),
            let microseconds = Decimal.unsigned(bytes[(width + 1)...(2 * width)])
        else { return nil }
        let nonce = String(decoding: bytes[(2 * width + 2)...], as: UTF8.self)
        self.init(epoch: epoch, microseconds: microseconds, nonce: nonce)
    }

    /// The token in fixed width, so that texts sort, in Lua and in Redis, as tokens compare.
    ///
    /// - Shape: `%020d-%020d-<nonce>`.
    public var text: String {
        Decimal.padded(epoch, width: Self.numberWidth) + "-"
            + Decimal.padded(microseconds, width: Self.numberWidth) + "-" + nonce
    }

    /// The token as text.
    public var description: String { text }

    /// Orders by epoch, then time, then nonce.
    public static func < (left: FencingToken, right: FencingToken) -> Bool {
        if left.epoch != right.epoch { return left.epoch < right.epoch }
        if left.microseconds != right.microseconds { return left.microseconds < right.microseconds }
        return left.nonce < right.nonce
    }

    private init(epoch: UInt64, microseconds: UInt64, checkedNonce: String) {
        self.epoch = epoch
        self.microseconds = microseconds
        nonce = checkedNonce
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
