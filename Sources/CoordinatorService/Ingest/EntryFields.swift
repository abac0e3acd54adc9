import CoordinatorCore

/// The fields of one stream entry that counting looks at, lent for the length of a call.
struct EntryFields {
    var url: UnsafeRawBufferPointer?
    var device: UnsafeRawBufferPointer?
    var time: UnsafeRawBufferPointer?
    /// What kind of event it is; nil or empty for a page view.
    var kind: UnsafeRawBufferPointer?
    /// What was played.
    var item: UnsafeRawBufferPointer?
    /// The first of the other fields that is too long or not UTF-8.
    var refusal: RefusalError?

    private static let urlName: StaticString = "url"
    private static let deviceName: StaticString = "uui"
    private static let timeName: StaticString = "dt"
    private static let kindName: StaticString = "kind"
    private static let itemName: StaticString = "id"

    /// Takes in one field; of fields with one name the last counts, as in a form. The URL is judged
    /// where it is resolved, once for each different one.
    @inline(__always)
    mutating func add(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        if Self.equal(name, Self.urlName) {
            url = value
            return
        }
        if Self.equal(name, Self.deviceName) {
            device = value
        } else if Self.equal(name, Self.timeName) {
            time = value
        } else if Self.equal(name, Self.kindName) {
            kind = value
        } else if Self.equal(name, Self.itemName) {
            item = value
        }
        guard refusal == nil else { return }
        do throws(RefusalError) {
            try EventRules.checkField(name)
            try EventRules.checkField(value)
        } catch {
            refusal = error
        }
    }

    @inline(__always)
    private static func equal(_ name: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard name.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<name.count where name[index] != text.utf8Start[index] { return false }
        return true
    }
}
