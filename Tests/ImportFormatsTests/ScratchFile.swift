import CoordinatorCore
import Glibc
import Testing

@testable import ImportFormats

/// A file that is gone when the test is.
final class ScratchFile {
    let path: String

    init(_ content: [UInt8]) throws {
        var template = Array("import-test-XXXXXX".utf8CString)
        if let folder = getenv("TMPDIR") {
            template = Array((String(cString: folder) + "/import-test-XXXXXX").utf8CString)
        } else {
            template = Array("\(P_tmpdir)/import-test-XXXXXX".utf8CString)
        }
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        var sent = 0
        while sent < content.count {
            let count = content.withUnsafeBytes { bytes in
                write(descriptor, bytes.baseAddress?.advanced(by: sent), bytes.count - sent)
            }
            try #require(count > 0)
            sent += count
        }
    }

    deinit {
        unlink(path)
    }
}

/// Everything an import of a file gives.
struct Reading {
    var entries: [ImportEntry] = []
    var summary = ImportSummary()
    var format = ImportFormat.auto
    var error: ImportError?

    /// The values of a field, as text.
    func values(_ name: String) -> [String?] {
        entries.map { entry in
            entry.fields.first { $0.name.elementsEqual(name.utf8) }
                .map { String(decoding: $0.value, as: UTF8.self) }
        }
    }

    var ids: [String] { entries.map(\.id.description) }
}

func read(
    _ content: [UInt8], _ options: ImportOptions, after resumeAfter: String = "0-0",
    batch: Int = 500
) throws -> Reading {
    let file = try ScratchFile(content)
    let sequence = ImportSequence(try ByteSource.file(file.path), options: options)
    sequence.resumeAfter = try #require(.init(resumeAfter))
    var reading = Reading()
    do throws(ImportError) {
        while true {
            let next = try sequence.nextBatch(maximumEntries: batch, maximumLines: batch)
            reading.entries += next.entries
            if next.continuation == .end { break }
        }
    } catch {
        reading.error = error
    }
    reading.summary = sequence.summary
    reading.format = sequence.format
    let counted =
        reading.summary.entries + reading.summary.alreadyThere + reading.summary.leftOutTotal
    #expect(reading.summary.lines == counted)
    #expect(reading.summary.entries == UInt64(reading.entries.count))
    for (earlier, later) in zip(reading.entries, reading.entries.dropFirst()) {
        #expect(earlier.id < later.id)
    }
    return reading
}

func read(
    _ text: String, _ options: ImportOptions, after resumeAfter: String = "0-0", batch: Int = 500
) throws -> Reading {
    try read(Array(text.utf8), options, after: resumeAfter, batch: batch)
}
