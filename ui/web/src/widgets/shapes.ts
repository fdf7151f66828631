/** A shape for each kind of node, so that a database is told from a service without reading. */

/** Puts the outline of `kind` around a point on the context's path. */
export function outline(ctx: CanvasRenderingContext2D, kind: string, x: number, y: number, r: number): void {
  ctx.beginPath();
  switch (kind) {
    case "database":
      cylinder(ctx, x, y, r * 0.86, r * 0.95);
      break;
    case "cache":
      polygon(ctx, x, y, r * 1.16, 4, 0);
      break;
    case "queue":
      ctx.roundRect(x - r * 1.25, y - r * 0.66, r * 2.5, r * 1.32, r * 0.66);
      break;
    case "external":
      polygon(ctx, x, y, r * 1.08, 6, Math.PI / 6);
      break;
    default:
      ctx.arc(x, y, r, 0, Math.PI * 2);
  }
}

function polygon(ctx: CanvasRenderingContext2D, x: number, y: number, r: number, corners: number, turn: number): void {
  for (let i = 0; i < corners; i++) {
    const angle = turn + (i / corners) * Math.PI * 2;
    ctx.lineTo(x + Math.cos(angle) * r, y + Math.sin(angle) * r);
  }
  ctx.closePath();
}

function cylinder(ctx: CanvasRenderingContext2D, x: number, y: number, w: number, h: number): void {
  const lid = h * 0.3;
  ctx.ellipse(x, y - h + lid, w, lid, 0, Math.PI, 0);
  ctx.lineTo(x + w, y + h - lid);
  ctx.ellipse(x, y + h - lid, w, lid, 0, 0, Math.PI);
  ctx.closePath();
  ctx.moveTo(x + w, y - h + lid);
  ctx.ellipse(x, y - h + lid, w, lid, 0, 0, Math.PI);
}
