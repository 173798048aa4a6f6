// A client of what browsers and Node have built in: fetch, FormData and, where there is one, WebSocket.
import { createHmac } from 'node:crypto';

const { SERVER, KEY, SECRET, MODEL } = process.env;
const inputs = { prompt: 'a red apple', width: 64, height: 64, steps: 4 };
const nonce = String(Date.now());
const headers = {
  'x-api-key': KEY,
  'x-nonce': nonce,
  'x-signature': createHmac('sha256', KEY).update(SECRET + nonce).digest('hex'),
};

async function post(path, body) {
  const answer = await fetch(`${SERVER}/v1/${path}`, { method: 'POST', headers, body });
  const content = await answer.json();
  if (!content.result) throw new Error(JSON.stringify(content));
  return content;
}
const form = values => {
  const filled = new FormData();
  for (const [name, value] of Object.entries(values)) filled.append(name, value);
  return filled;
};
const run = () => post(`Run/${MODEL}`, form(inputs));
const detail = async token => (await post('Task/Detail', new URLSearchParams({ tasktoken: token }))).tasklist[0];

function follow(token) {
  return new Promise((resolve, reject) => {
    const types = [];
    const socket = new WebSocket(`${SERVER.replace('http', 'ws')}/v1`);
    socket.onopen = () => socket.send(JSON.stringify({ type: 'task_info', tasktoken: token }));
    socket.onmessage = message => types.push(JSON.parse(message.data).type);
    socket.onclose = close => (close.code === 1000 ? resolve(types) : reject(new Error(`closed with ${close.code}`)));
  });
}

async function draw() {
  const found = await post('Tool/List', JSON.stringify({ search: '', categories: [], start: '0', limit: '20' }));
  const upload = await post('File/Upload', form({ file: new File([new Uint8Array([0x89, 0x50, 0x4e, 0x47])], 'a.png') }));
  const ran = await run();
  let task;
  do {
    await new Promise(resolve => setTimeout(resolve, 100));
    task = await detail(ran.socketaccesstoken);
  } while (!['task_postprocess_end', 'task_cancel'].includes(task.status));
  return {
    models: found.tool.map(tool => `${tool.cleanslugowner}/${tool.cleanslugproject}`),
    upload: upload.list[0].url,
    task: ran.taskid,
    polled: task.status,
    ...(typeof WebSocket === 'undefined' ? {} : { followed: await follow((await run()).socketaccesstoken) }),
    picture: task.outputs[0].url,
  };
}

async function end() {
  const running = await run();
  const queued = await run();
  const cancelled = await post('Task/Cancel', JSON.stringify({ taskid: Number(queued.taskid) }));
  const killed = await post('Task/Kill', JSON.stringify({ tasktoken: running.socketaccesstoken }));
  return { cancelled: cancelled.tasklist[0].status, killed: killed.tasklist[0].status };
}

console.log(JSON.stringify(await { draw, end }[process.argv[2]]()));
