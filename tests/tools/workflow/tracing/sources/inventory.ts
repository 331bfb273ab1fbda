import type { Item } from "./item";
import log = require("./log");

export namespace Stock.Rooms {
  export abstract class Room<T extends Item> implements Countable {
    private refill = async (): Promise<void> => {
      await this.order(1);
    };

    constructor(protected readonly items: T[]) {
      log.info("room");
    }

    abstract order(count: number): Promise<void>;

    count(): number {
      return this.items.filter((each) => isSound(each)).length;
    }
  }
}

export interface Countable {
  count(): number;
}

export enum Shelf { Top, Bottom }

export type Rooms = Stock.Rooms.Room<Item>[];

function isSound(item: Item): boolean;
function isSound(item: Item): boolean {
  return item.checked as boolean;
}

@component({ selector: "cellar" })
export class Cellar extends Stock.Rooms.Room<Item> {
  override async order(count: number): Promise<void> {
    await super.order(count);
    sum<number>([count]);
  }
}

const sum = <T,>(values: T[]): T => values.reduce(add);
function add(a: any, b: any) { return a + b; }
