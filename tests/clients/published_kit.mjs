// Drives the published npm package @wiro-ai/wirokit-react-native, with nothing changed but the two base URLs.
import { WiroClient, WiroModelId, WiroTaskTrackingMode, WiroValue } from '@wiro-ai/wirokit-react-native';

if (typeof globalThis.WebSocket === 'undefined') {
  globalThis.WebSocket = (await import('ws')).WebSocket; // what a phone has, and Node has from version 22 on
}
const { SERVER, KEY, SECRET, MODEL } = process.env;
const model = new WiroModelId(...MODEL.split('/'));
const inputs = {
  prompt: WiroValue.string('a red apple'),
  width: WiroValue.number(64),
  height: WiroValue.number(64),
  steps: WiroValue.number(4),
};
const client = new WiroClient({
  apiKey: KEY,
  apiSecret: SECRET,
  baseUrl: `${SERVER}/v1`,
  socketUrl: `${SERVER.replace('http', 'ws')}/v1`,
  pollIntervalMs: 200,
});

async function draw() {
  const found = await client.searchModels({ search: 'flux' });
  const explored = await client.explore();
  const schema = await client.getModelSchema(model);
  const upload = await client.uploadFile(new Uint8Array([0x89, 0x50, 0x4e, 0x47]), 'a.png');
  const run = await client.runModel(model, inputs);
  const polled = await client.waitForTask(run.taskToken, { timeoutMs: 60000 });
  const followed = [];
  const result = await client.subscribe(model, inputs, {
    trackingMode: WiroTaskTrackingMode.webSocket,
    timeoutMs: 60000,
    onUpdate: update => followed.push(update.kind === 'event' ? update.message.statusRawValue : update.kind),
  });
  return {
    models: found.items.map(item => `${item.owner}/${item.slug}`),
    explored: JSON.stringify(explored).length,
    schema: JSON.stringify(schema).length,
    upload: String(upload.files[0].url),
    task: run.taskId.rawValue,
    polled: polled.statusRawValue,
    followed,
    picture: String(result.task.outputs[0].url),
  };
}

async function end() {
  const running = await client.runModel(model, inputs);
  const queued = await client.runModel(model, inputs);
  return {
    cancelled: (await client.cancelTask(queued.taskId)) && (await client.getTask(queued.taskToken)).statusRawValue,
    killed: (await client.killTask(running.taskToken)) && (await client.getTask(running.taskToken)).statusRawValue,
  };
}

console.log(JSON.stringify(await { draw, end }[process.argv[2]](), null, 1));
client.close?.();
process.exit(0);
