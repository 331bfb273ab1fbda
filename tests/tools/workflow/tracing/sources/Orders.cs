using System;
using System.Collections.Generic;
using Json = System.Text.Json;

namespace Shop.Orders;

public interface IOrder { void Ship(); }

public class Order<T> : Entity, IOrder
{
    public Order() : base(1) { Init(); }

    public decimal Total => Lines.Sum(Größe);

    private decimal Größe(Line line)
    {
        decimal Rounded(decimal value) => Math.Round(value);
        return Rounded(line.Price);
    }

    public async Task Ship()
    {
        Func<int, int> twice = n => Twice(n);
        await Send<Order<T>>(new Parcel(twice(1)));
        this.Log?.Write("shipped");
        var other = new Shop.Labels.Label<T>();
    }

    public record Line(decimal Price);

    private static int Twice(int n) => n == 0 ? 0 : Twice(n - 1);
}

enum State { Open }
