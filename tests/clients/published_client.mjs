// Drives the published npm package @wiro-ai/wiro-mcp (its client), with nothing changed but the base URL.
import { WiroClient } from '@wiro-ai/wiro-mcp/client';

const { SERVER, KEY, SECRET, MODEL } = process.env;
const inputs = { prompt: 'a red apple', width: 64, height: 64, steps: 4 };
const client = new WiroClient(KEY, SECRET, `${SERVER}/v1`);

async function draw() {
  const found = await client.searchModels({ search: 'flux' });
  const explored = await client.explore();
  const schema = await client.getModelSchema(MODEL);
  const upload = await client.uploadFile('data:image/png;base64,iVBORw0KGgo=', 'a.png');
  const run = await client.runModel(MODEL, inputs);
  const seen = [];
  const ended = await client.waitForTask(run.socketaccesstoken, 60000, {
    pollIntervalMs: 100,
    onPoll: task => seen.push(task.status),
  });
  const listed = await client.listTasks({ limit: 1, model: 'flux' });
  return {
    models: found.tool.map(tool => `${tool.cleanslugowner}/${tool.cleanslugproject}`),
    explored: explored.explore.length,
    inputs: schema.tool[0].parameters.flatMap(group => group.items.map(item => item.id)),
    upload: upload.list[0].url,
    task: run.taskid,
    listed: listed.tasklist[0].id,
    polled: seen.at(-1),
    picture: ended.tasklist[0].outputs[0].url,
  };
}

async function end() {
  const running = await client.runModel(MODEL, inputs);
  const queued = await client.runModel(MODEL, inputs);
  const cancelled = await client.cancelTask(queued.socketaccesstoken);
  const killed = await client.killTask(running.socketaccesstoken);
  return { cancelled: cancelled.tasklist[0].status, killed: killed.tasklist[0].status };
}

console.log(JSON.stringify(await { draw, end }[process.argv[2]]()));
