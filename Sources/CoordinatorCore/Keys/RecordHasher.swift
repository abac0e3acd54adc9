/// Makes record ids. The core states what is hashed; the digest itself comes from a library.
///
/// - Invariant: the same bytes give the same id, on every node and in every version: ids are in
///   keys.
public protocol RecordHasher: Sendable {
    /// The SHA-1 of `bytes`.
    func recordID(of bytes: UnsafeRawBufferPointer) -> RecordID
}

extension RecordHasher {
    /// The SHA-1 of the text's UTF-8, not normalised: other spellings are other records.
    public func recordID(of text: String) -> RecordID {
        var text = text
        return text.withUTF8 { recordID(of: UnsafeRawBufferPointer($0)) }
    }

    /// The SHA-1 of `bytes`.
    public func recordID(of bytes: [UInt8]) -> RecordID {
        bytes.withUnsafeBytes { recordID(of: $0) }
    }
}
