// llama.cpp's side of the comparison with `qwen2.rs`, through its prebuilt binding for Node.
//
//   npm install --save-exact node-llama-cpp@3.21.1
//   node llama.mjs speed FILE.gguf THREADS      tokens per second of CPU time: reading 200 tokens, writing 10 after them
//   node llama.mjs greedy FILE.gguf             the fixture `tests/fixtures/qwen2_greedy.json`, as JSON on standard output
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [what, file, threads = "1"] = process.argv.slice(2);
const QUESTION = "A mix has four stems. Measured levels against the rest of the mix: vocals -9.0 LU, drums -4.5 LU, bass -7.0 LU. "
    + "In the reference song the vocals are at -5.0 LU. Which fader should I move first, and why? Explain in detail what each stem needs.";
const PROMPT = "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    + `<|im_start|>user\n${QUESTION}<|im_end|>\n<|im_start|>assistant\n`;

const llama = await getLlama({gpu: false, build: "never", maxThreads: Number(threads), logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath: file, gpuLayers: 0});
const context = await model.createContext({contextSize: 1024, batchSize: 512, threads: Number(threads)});
const sequence = context.getSequence();
// CPU time, all threads together: the wall clock counts what else the machine does.
const cpu = () => { const usage = process.cpuUsage(); return (usage.user + usage.system) / 1e6; };

if (what === "greedy") {
    const prompt = model.tokenize(PROMPT, true);
    const written = [];
    for await (const token of sequence.evaluate(prompt, {temperature: 0})) {
        written.push(token);
        if (written.length === 200) break;
    }
    console.log(JSON.stringify({prompt, written, text: model.detokenize(written)}));
} else {
    const ids = Array.from({length: 200}, (_, n) => 1000 + n * 37 % 5000);
    await sequence.evaluateWithoutGeneratingNewTokens(ids.slice(0, 8));
    for (let round = 0; round < 3; round++) {
        await sequence.clearHistory();
        let start = cpu();
        await sequence.evaluateWithoutGeneratingNewTokens(ids);
        console.log(`prefill ${(200 / (cpu() - start)).toFixed(1)} tokens per CPU second`);
        let count = 0;
        for await (const _token of sequence.evaluate([1000], {temperature: 0})) {
            if (count++ === 0) start = cpu();
            if (count > 10) break;
        }
        console.log(`decode ${(10 / (cpu() - start)).toFixed(1)} tokens per CPU second`);
    }
}
process.exit(0);
