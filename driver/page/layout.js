// A layered drawing of a graph: rows from sources to sinks, few crossings, short edges straight. Vertices stand in
// topological order. Edges over more than `far` rows are left out: whoever draws shows them another way.

// x nearest to `wanted` with x[i+1] - x[i] >= gap[i]: pools neighbours that would overlap (isotonic regression).
function spread(wanted, gap) {
  const n = wanted.length, offset = new Float64Array(n), pools = [];
  for (let i = 1; i < n; i++) offset[i] = offset[i - 1] + gap[i - 1];
  for (let i = 0; i < n; i++) {
    let pool = { sum: wanted[i] - offset[i], size: 1 };
    while (pools.length && pools[pools.length - 1].sum / pools[pools.length - 1].size > pool.sum / pool.size) {
      const before = pools.pop();
      pool = { sum: before.sum + pool.sum, size: before.size + pool.size };
    }
    pools.push(pool);
  }
  const x = new Float64Array(n);
  let i = 0;
  for (const pool of pools)
    for (let k = 0; k < pool.size; k++, i++) x[i] = pool.sum / pool.size + offset[i];
  return x;
}

function rankOf(n, edges, isInput) {
  const rank = new Int32Array(n), first = new Int32Array(n).fill(1 << 30), from = Array.from({ length: n }, () => []);
  for (const [a, b] of edges) from[b].push(a);
  for (let v = 0; v < n; v++) for (const a of from[v]) rank[v] = Math.max(rank[v], rank[a] + 1);
  for (const [a, b] of edges) first[a] = Math.min(first[a], rank[b]);
  for (let v = 0; v < n; v++) if (isInput(v) && first[v] < 1 << 30) rank[v] = first[v] - 1;
  return rank;
}

// Rows of vertices; a rank that is wider than `most` becomes several rows.
function rowsOf(rank, sizes, gap, most) {
  const ranks = [];
  for (let v = 0; v < rank.length; v++) (ranks[rank[v]] = ranks[rank[v]] || []).push(v);
  const rows = [];
  for (const list of ranks) {
    let row = null, width = 0;
    for (const v of list || []) {
      if (!row || width + sizes[v].w > most) {
        rows.push((row = []));
        width = 0;
      }
      row.push(v);
      width += sizes[v].w + gap;
    }
  }
  return rows;
}

function layOut(sizes, edges, options = {}) {
  const { gapX = 22, gapY = 30, far = 4, most = 1800, isInput = () => false } = options;
  const n = sizes.length;
  const rows = rowsOf(rankOf(n, edges, isInput), sizes, gapX, most);
  const rowOf = new Int32Array(n);
  rows.forEach((row, r) => row.forEach(v => (rowOf[v] = r)));
  // Cells: the vertices, then a narrow one for every row that an edge crosses.
  const width = sizes.map(s => s.w), above = sizes.map(() => []), below = sizes.map(() => []);
  const link = (a, b) => {
    below[a].push(b);
    above[b].push(a);
  };
  const crossed = edges.map(([a, b]) => {
    if (rowOf[b] - rowOf[a] > far || rowOf[b] <= rowOf[a]) return null;
    const cells = [];
    let last = a;
    for (let r = rowOf[a] + 1; r < rowOf[b]; r++) {
      const cell = width.length;
      width.push(10);
      above.push([]);
      below.push([]);
      rows[r].push(cell);
      cells.push(cell);
      link(last, cell);
      last = cell;
    }
    link(last, b);
    return cells;
  });
  const x = new Float64Array(width.length);
  const pack = row => {
    let at = 0;
    for (const c of row) {
      x[c] = at + width[c] / 2;
      at += width[c] + gapX;
    }
    for (const c of row) x[c] -= at / 2;
  };
  const mean = (list, otherwise) => (list.length ? list.reduce((sum, c) => sum + x[c], 0) / list.length : otherwise);
  rows.forEach(pack);
  for (let sweep = 0; sweep < 8; sweep++) { // order: by the mean of the neighbours in the row before
    const down = sweep % 2 === 0;
    for (let k = 0; k < rows.length; k++) {
      const row = rows[down ? k : rows.length - 1 - k], near = down ? above : below;
      const wanted = new Map(row.map(c => [c, mean(near[c], x[c])]));
      row.sort((a, b) => wanted.get(a) - wanted.get(b) || a - b);
      pack(row);
    }
  }
  for (let sweep = 0; sweep < 8; sweep++) { // places: near the neighbours as far as there is room
    const down = sweep % 2 === 0;
    for (let k = 0; k < rows.length; k++) {
      const row = rows[down ? k : rows.length - 1 - k];
      const wanted = row.map(c => mean(sweep < 6 ? (down ? above : below)[c] : above[c].concat(below[c]), x[c]));
      const gap = row.slice(1).map((c, i) => (width[row[i]] + width[c]) / 2 + gapX);
      spread(wanted, gap).forEach((at, i) => (x[row[i]] = at));
    }
  }
  let left = Infinity, right = -Infinity, y = 0;
  const top = new Float64Array(rows.length), height = new Float64Array(rows.length);
  rows.forEach((row, r) => {
    for (const c of row) {
      left = Math.min(left, x[c] - width[c] / 2);
      right = Math.max(right, x[c] + width[c] / 2);
      if (c < n) height[r] = Math.max(height[r], sizes[c].h);
    }
    top[r] = y;
    y += height[r] + gapY;
  });
  const middle = r => top[r] + height[r] / 2;
  return {
    width: n ? right - left : 0,
    height: Math.max(0, y - gapY),
    // Of vertices: left and top corner.
    place: sizes.map((s, v) => [x[v] - s.w / 2 - left, top[rowOf[v]] + (height[rowOf[v]] - s.h) / 2]),
    // Of edges: points between their ends, null for those that are far.
    route: crossed.map((cells, e) => cells && cells.map((c, k) => [x[c] - left, middle(rowOf[edges[e][0]] + 1 + k)])),
  };
}
