#!/usr/bin/env node
// A device: `@tuyapi/stub`, on a free port of 127.0.0.1.
//
//   tuyapi_stub.js ID VERSION                    the local key is taken from RUSTUYA_KEY
//
// Prints {"port":N} when it listens, then {"cmd":7,"seqno":1} for each request, and ends when standard input closes.
// Reads one JSON object for each line of it:
//
//   {"set":{"2":51}}      change properties, which the stub reports to the controller
//   {"get":true}          prints {"state":{..}}
//   {"close":true}        drop the connection
'use strict';

const readline = require('readline');
const TuyaStub = require('@tuyapi/stub');

// The stub has a message parser of its own, not that of the installed tuyapi.
const {MessageParser} = require(require.resolve('tuyapi/lib/message-parser', {
  paths: [require.resolve('@tuyapi/stub')]
}));

const [id, version] = process.argv.slice(2);
const key = process.env.RUSTUYA_KEY;
const say = line => process.stdout.write(JSON.stringify(line) + '\n');

const stub = new TuyaStub({id, key, state: {1: false, 2: 50, 18: 0}});
// The stub has no option for the version, and always makes a parser for 3.1.
stub.parser = new MessageParser({key, version});
const parse = stub.parser.parse.bind(stub.parser);
stub.parser.parse = data => {
  const packets = parse(data);
  packets.forEach(packet => say({cmd: packet.commandByte, seqno: packet.sequenceN}));
  return packets;
};

// `port` is passed to `listen` unchanged, which also takes an address. Without one it would listen on all.
stub.startServer({host: '127.0.0.1', port: 0});
stub.server.on('listening', () => say({port: stub.server.address().port}));
// A reset by the controller must not end the stub.
stub.server.on('connection', socket => socket.on('error', () => socket.destroy()));

async function main() {
  for await (const line of readline.createInterface({input: process.stdin})) {
    const order = JSON.parse(line);
    if (order.set) {
      Object.entries(order.set).forEach(([dp, value]) => stub.setProperty(dp, value));
    } else if (order.get) {
      say({state: stub.getState()});
    } else if (order.close) {
      stub.socket.destroy();
    } else {
      throw new Error(`no such order: ${line}`);
    }
  }

  stub.shutdown();
}

main();
