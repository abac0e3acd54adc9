import EventLoop
import Terminal

/// Placeholder until written below.
@LoopActor struct RotateBench {
    init(_ arguments: ParsedArguments) {}
    func run() async throws(BenchError) {}
}

@LoopActor struct ReadBench {
    init(_ arguments: ParsedArguments) {}
    func run() async throws(BenchError) {}
}
