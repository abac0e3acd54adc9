import CoordinatorCore
import Hashing

extension DeviceHasher {
    /// What may be stored of a field `uui` wherever an event is kept to be counted later: the keyed
    /// id; what is no device, as it is.
    ///
    /// An id that counting refuses stays one that it refuses, for the same reason, and no byte of
    /// it is left: so a replay gives what it would give without a key.
    func stored(_ uui: UnsafeRawBufferPointer) -> [UInt8] {
        guard EventRules.isDevice(uui) else { return Array(uui) }
        do throws(RefusalError) { try EventRules.checkField(uui) } catch {
            guard error.reason == .size else { return [0xFF] }
            return [UInt8](repeating: UInt8(ascii: "x"), count: EventRules.maximumFieldBytes + 1)
        }
        var text: [UInt8] = []
        append(uui, to: &text)
        return text
    }
}
