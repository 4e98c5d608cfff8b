// Least recently used entries go first.

/** A map of at most `limit` entries. */
export class Recent {
  constructor(limit) {
    this.limit = limit;
    this.entries = new Map();
  }

  get(key) {
    const value = this.entries.get(key);
    if (value !== undefined) {
      this.entries.delete(key);
      this.entries.set(key, value);
    }
    return value;
  }

  put(key, value) {
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size > this.limit) this.entries.delete(this.entries.keys().next().value);
  }

  drop(key) {
    this.entries.delete(key);
  }

  clear() {
    this.entries.clear();
  }
}
