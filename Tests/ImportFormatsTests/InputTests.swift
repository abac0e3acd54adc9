import Glibc
import Testing

@testable import ImportFormats

/// Reads a source to its end.
private func contents(_ source: ByteSource) -> (bytes: [UInt8], error: ImportError?) {
    var bytes: [UInt8] = []
    do throws(ImportError) {
        while try source.read({ bytes += $0 }) != .end {}
        return (bytes, nil)
    } catch {
        return (bytes, error)
    }
}

private func contents(_ stored: [UInt8]) throws -> (bytes: [UInt8], error: ImportError?) {
    let file = try ScratchFile(stored)
    return contents(try ByteSource.file(file.path))
}

private func lines(_ stored: [UInt8], limit: Int) throws -> (
    lines: [[UInt8]], tooLong: Int, error: ImportError?
) {
    let file = try ScratchFile(stored)
    let reader = LineReader(try ByteSource.file(file.path), maximumLineBytes: limit)
    var found: [[UInt8]] = []
    var tooLong = 0
    do throws(ImportError) {
        while true {
            switch try reader.next({ found.append(Array($0)) }) {
            case .end: return (found, tooLong, nil)
            case .tooLong: tooLong += 1
            case .line, .more, .pending: break
            }
        }
    } catch {
        return (found, tooLong, error)
    }
}

@Suite("Reading bytes and lines")
struct InputTests {
    private static let text = Array((0..<40_000).map { "line \($0)\n" }.joined().utf8)

    @Test("a plain file, a compressed one and one of many members give the same bytes")
    func encodings() throws {
        let half = Self.text.count / 2
        let members =
            Gzip.member(Array(Self.text[..<half])) + Gzip.member([])
            + Gzip.member(Array(Self.text[half...]))
        for stored in [Self.text, Gzip.member(Self.text), members, members + [0, 0, 0]] {
            let (bytes, error) = try contents(stored)
            #expect(bytes == Self.text && error == nil)
        }
    }

    @Test(
        "files too short to be compressed are plain",
        arguments: [[], [0x1F], [0x1F, 0x8C], [0x0A]] as [[UInt8]])
    func short(stored: [UInt8]) throws {
        let (bytes, error) = try contents(stored)
        #expect(bytes == stored && error == nil)
    }

    @Test("damage is told with its place, after what was before it")
    func damage() throws {
        let member = Gzip.member(Self.text)
        let cut = try contents(Array(member[..<(member.count - 100)]))
        #expect(
            Self.text.starts(with: cut.bytes)
                && cut.bytes.count > Self.text.count - 200)
        guard case .truncatedGzip(_, let offset) = cut.error else {
            Issue.record("expected .truncatedGzip, got \(String(describing: cut.error))")
            return
        }
        #expect(offset == Int64(member.count - 100))
        var wrongChecksum = member
        wrongChecksum[member.count - 6] ^= 1
        let damaged = try contents(wrongChecksum)
        #expect(damaged.bytes == Self.text)
        guard case .corruptGzip = damaged.error else {
            Issue.record("expected .corruptGzip, got \(String(describing: damaged.error))")
            return
        }
        guard case .corruptGzip = try contents(member + Array("trailing".utf8)).error else {
            Issue.record("what follows a member must be another one")
            return
        }
    }

    @Test("every cut of a small compressed file ends in an error or in the whole text")
    func everyCut() throws {
        let member = Gzip.member(Array("one\ntwo\n".utf8))
        for count in 2..<member.count {
            #expect(try contents(Array(member[..<count])).error != nil)
        }
    }

    @Test(
        "the first 1,024 bytes are the same for a file and its compressed copy, and are read again")
    func heads() throws {
        let plain = try ScratchFile(Self.text)
        let compressed = try ScratchFile(Gzip.member(Self.text))
        for path in [plain.path, compressed.path] {
            let source = try ByteSource.file(path)
            #expect(try source.head() == Array(Self.text[..<1_024]))
            #expect(try source.head() == Array(Self.text[..<1_024]))
            #expect(contents(source).bytes == Self.text)
            #expect(source.consumedBytes == source.storedBytes)
        }
    }

    @Test("what cannot be opened is an error that says why")
    func unopenable() {
        #expect(throws: ImportError.cannotOpen(name: "/nonexistent", code: ENOENT)) {
            try ByteSource.file("/nonexistent")
        }
        #expect(throws: ImportError.notAFile(name: "/")) { try ByteSource.file("/") }
    }

    @Test("a pipe with nothing in it is pending when the source must not wait")
    func pending() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let source = ByteSource(
            descriptor: ends[0], name: "pipe", ownsDescriptor: false, waits: false, storedBytes: nil
        )
        #expect(try source.head() == nil)
        let reader = LineReader(source, maximumLineBytes: 100)
        var found: [[UInt8]] = []
        #expect(try reader.next { _ in } == .pending)
        #expect(write(ends[1], "ab", 2) == 2)
        #expect(try reader.next { found.append(Array($0)) } == .more)
        #expect(try reader.next { found.append(Array($0)) } == .pending)
        #expect(write(ends[1], "c\n", 2) == 2)
        #expect(try reader.next { found.append(Array($0)) } == .line)
        close(ends[1])
        #expect(try reader.next { _ in } == .end)
        #expect(found == [Array("abc".utf8)])
    }

    @Test(
        "lines end with LF, CR LF, or with the file",
        arguments: [
            ("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\r\nb", ["a", "b"]),
            ("\r\n", [""]), ("a\rb\n", ["a\rb"]),
            ("a\n\nb\n", ["a", "", "b"]), ("a\0b\n", ["a\0b"]),
        ] as [(String, [String])])
    func lineEnds(text: String, expected: [String]) throws {
        let found = try lines(Array(text.utf8), limit: 100)
        #expect(found.lines == expected.map { Array($0.utf8) })
    }

    @Test(
        "a line over the limit is passed over once, wherever it stands",
        arguments: [100, 101, 5_000, 200_000])
    func longLines(length: Int) throws {
        let long = [UInt8](repeating: 0x61, count: length)
        let text = Array("x\n".utf8) + long + Array("\ny\n".utf8) + long
        let found = try lines(text, limit: 100)
        #expect(found.tooLong == (length > 100 ? 2 : 0))
        #expect(found.lines.filter { $0.count == 1 } == [Array("x".utf8), Array("y".utf8)])
    }

    @Test("lines of every length around the size of a chunk come through whole")
    func chunkBorders() throws {
        for length in [65_534, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073] {
            let line = [UInt8](repeating: 0x62, count: length)
            let found = try lines(line + [0x0A] + line, limit: 200_000)
            #expect(found.lines == [line, line])
        }
    }

    @Test("a compressed file that is one endless line is one line too long, in bounded memory")
    func endlessLine() throws {
        let member = Gzip.member(of: 0x61, repeats: 8_000)
        let stored =
            Array([[UInt8]](repeating: member, count: 16).joined())
            + Gzip.member(Array("\nlast\n".utf8))
        let found = try lines(stored, limit: 65_536)
        #expect(found.tooLong == 1 && found.error == nil)
        #expect(found.lines == [Array("last".utf8)])
    }

    @Test("a line cut by damage is dropped, the lines before it are not")
    func cutLines() throws {
        let member = Gzip.member(Self.text)
        let found = try lines(Array(member[..<(member.count - 100)]), limit: 100)
        #expect(found.error != nil && found.lines.count > 39_900)
        for (number, line) in found.lines.enumerated() {
            #expect(line == Array("line \(number)".utf8))
        }
    }
}
