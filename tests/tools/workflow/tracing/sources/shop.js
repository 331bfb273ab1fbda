#!/usr/bin/env node
"use strict";
const fs = require("fs");
import { Café, größe as size } from "./café.mjs";
export * from "./prices.js";

class Shop extends Café {
  #till = 0;
  onSale = (item) => this.price(item) * 0.9;

  static async open(name) {
    const { greet } = await import("./greetings.js");
    const shop = new Shop(name);
    shop.price("日本語"); greet(name);
    return shop;
  }

  price(item) {
    function rounded(value) {
      return Math.round(value);
    }
    return rounded(size(item));
  }
}

const countdown = function (n) {
  return n === 0 ? 0 : countdown(n - 1);
};

const überprüfe = async (items) => {
  await Promise.all(items.map(check));
};

function* check(item) {
  yield item?.valid?.();
}

Shop.prototype.close = function () {
  fs.writeFileSync("till", String(this.#till));
};

module.exports = {
  start() {
    return Shop.open("x").then((shop) => shop.close());
  },
  "stop-all": () => countdown(3),
};

module.exports.start();
