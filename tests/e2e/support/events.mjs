// Waiting for what a server sends by itself.

/** Collects events; `next(matches)` takes the first one that matches, as soon as it is there. */
export class Inbox {
  #events = []
  #waiting = []

  put(event) {
    const index = this.#waiting.findIndex((one) => one.matches(event))
    if (index === -1) {
      this.#events.push(event)
      return
    }
    const [one] = this.#waiting.splice(index, 1)
    clearTimeout(one.timer)
    one.resolve(event)
  }

  next(matches = () => true, { patience = 120_000, what = 'the event' } = {}) {
    const index = this.#events.findIndex(matches)
    if (index !== -1) return Promise.resolve(this.#events.splice(index, 1)[0])
    return new Promise((resolve, reject) => {
      const one = { matches, resolve }
      one.timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== one)
        reject(new Error(`${what} did not come within ${patience} ms; here are: ${JSON.stringify(this.#events)}`))
      }, patience)
      this.#waiting.push(one)
    })
  }

  /** What came and nobody took. */
  get left() {
    return [...this.#events]
  }
}
