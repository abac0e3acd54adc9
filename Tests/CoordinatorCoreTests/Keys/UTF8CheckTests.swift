import CoordinatorCore
import Testing

@Suite("UTF-8 checks")
struct UTF8CheckTests {
    /// The dumb twin: decoding replaces what is not well-formed, so the bytes change.
    private func isValidByDecoding(_ bytes: [UInt8]) -> Bool {
        Array(String(decoding: bytes, as: UTF8.self).utf8) == bytes
    }

    private func isAccepted(_ bytes: [UInt8]) -> Bool {
        lend(bytes) { bytes in
            do throws(RefusalError) {
                try EventRules.checkField(bytes)
                return true
            } catch {
                return false
            }
        }
    }

    @Test("every sequence of one or two bytes is judged as decoding judges it")
    func shortSequences() {
        for first in UInt8.min...UInt8.max {
            #expect(isAccepted([first]) == isValidByDecoding([first]))
            for second in UInt8.min...UInt8.max {
                let bytes = [first, second]
                guard isAccepted(bytes) != isValidByDecoding(bytes) else { continue }
                Issue.record("\(bytes) is judged otherwise")
            }
        }
    }

    @Test("longer sequences at every limit are judged as decoding judges them")
    func longSequences() {
        let leads: [UInt8] = [
            0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        let others: [UInt8] = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
        for lead in leads {
            for second in others {
                for third in others {
                    let three = [lead, second, third]
                    #expect(isAccepted(three) == isValidByDecoding(three), "\(three)")
                    for fourth in others {
                        let four = three + [fourth]
                        guard isAccepted(four) != isValidByDecoding(four) else { continue }
                        Issue.record("\(four) is judged otherwise")
                    }
                }
            }
        }
    }

    @Test("a wrong byte is found at every place beside the words that are read at once")
    func everyPlace() {
        for length in 0...40 {
            let ascii = [UInt8](repeating: 0x41, count: length)
            #expect(isAccepted(ascii))
            for place in 0..<length {
                var bytes = ascii
                bytes[place] = 0xFF
                #expect(!isAccepted(bytes))
                #expect(isAccepted(ascii[..<place] + Array("😀é".utf8) + ascii[place...]))
            }
        }
    }

    @Test("random mixtures are judged as decoding judges them", arguments: seeds)
    func mixtures(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<5_000 {
            var bytes = Array("aé日😀x".utf8)
            bytes.insert(
                contentsOf: generator.bytes(0...2),
                at: Int.random(in: 0...bytes.count, using: &generator))
            #expect(isAccepted(bytes) == isValidByDecoding(bytes), "\(bytes)")
        }
    }
}
