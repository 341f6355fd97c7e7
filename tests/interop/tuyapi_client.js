#!/usr/bin/env node
// tuyapi's own client, driven line by line.
//
//   tuyapi_client.js HOST PORT ID VERSION [LIMIT]     the local key is taken from RUSTUYA_KEY
//
// LIMIT is the time limit for the connection, in ms.
//
// Reads one JSON object for each line of standard input, answers each in order, and ends when that closes:
//
//   {"get":OPTIONS} {"set":OPTIONS} {"refresh":OPTIONS}     options of tuyapi's functions of that name
//   {"ping":true}                                           one heartbeat
//
// An additional "limit" is the time limit for the call, in ms.
//
// Prints one JSON object for each line:
//
//   {"result":..} or {"failed":"..."}                       result of a call
//   {"event":"connected"}                                   also "heartbeat" and "disconnected"
//   {"event":"data","payload":..,"cmd":8}                   also "dp-refresh"
//   {"event":"error","text":"..."}
'use strict';

const readline = require('readline');
const TuyAPI = require('tuyapi');

const [host, port, id, version, limit] = process.argv.slice(2);
const say = line => process.stdout.write(JSON.stringify(line) + '\n');

const device = new TuyAPI({
  ip: host, port: Number(port), id, key: process.env.RUSTUYA_KEY, version, issueGetOnConnect: false
});

for (const event of ['connected', 'heartbeat', 'disconnected']) {
  device.on(event, () => say({event}));
}

for (const event of ['data', 'dp-refresh']) {
  device.on(event, (payload, cmd) => {
    // tuyapi passes unreadable payloads on as bytes.
    say({event, payload: Buffer.isBuffer(payload) ? {bytes: payload.toString('hex')} : payload, cmd});
  });
}

device.on('error', error => say({event: 'error', text: String(error)}));

// Longer than tuyapi's own limit for `set`, which is 5 s. `get` and `connect` may never return.
const LIMIT = 10000;

function limited(promise, limit = LIMIT) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('not settled')), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function call(order) {
  const [name] = Object.keys(order);
  switch (name) {
    case 'get': return device.get(order.get);
    case 'set': return device.set(order.set);
    case 'refresh': return device.refresh(order.refresh);
    case 'ping': return device._sendPing();
    default: throw new Error(`no such order: ${name}`);
  }
}

async function main() {
  try {
    await limited(device.connect(), limit && Number(limit));
    for await (const line of readline.createInterface({input: process.stdin})) {
      try {
        const order = JSON.parse(line);
        const result = await limited(call(order), order.limit);
        say({result: result === undefined ? null : result});
      } catch (error) {
        say({failed: String(error.message || error)});
      }
    }
  } catch (error) {
    say({failed: String(error.message || error)});
    process.exitCode = 1;
  }

  device.disconnect();
}

main();
